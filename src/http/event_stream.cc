#include "http/event_stream.h"

namespace slipway::http {
namespace {

/// Without what would end the line.
std::string OneLine(std::string_view text) {
  std::string line;
  for (char c : text)
    if (c != '\r' && c != '\n' && c != '\0') line += c;
  return line;
}

}  // namespace

std::string EventText(std::string_view data, std::string_view name, std::string_view id) {
  std::string text;
  if (!id.empty()) text += "id: " + OneLine(id) + "\n";
  if (!name.empty()) text += "event: " + OneLine(name) + "\n";
  text += "data: ";
  // \r\n and \r end a line as \n does.
  for (size_t i = 0; i < data.size(); ++i) {
    char c = data[i];
    if (c == '\r' && i + 1 < data.size() && data[i + 1] == '\n') continue;
    if (c == '\r' || c == '\n')
      text += "\ndata: ";
    else
      text += c;
  }
  return text += "\n\n";
}

Awaitable<Result<>> EventWriter::SendText(std::string text) { co_return co_await writer_.Write(text); }

Awaitable<Result<>> EventWriter::Send(std::string_view data, std::string_view name, std::string_view id) {
  return SendText(EventText(data, name, id));
}

Awaitable<Result<>> EventWriter::KeepAlive() { return SendText(":\n\n"); }

Response EventStream(std::function<Awaitable<void>(EventWriter&)> send) {
  Response response{.content_type = "text/event-stream", .headers = {{"Cache-Control", "no-store"}}, .endless = true};
  response.stream = [send = std::move(send)](Writer& writer) -> Awaitable<void> {
    EventWriter events(writer);
    co_await send(events);
  };
  return response;
}

}  // namespace slipway::http
