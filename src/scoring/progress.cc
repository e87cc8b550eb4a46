#include "scoring/progress.h"

#include <boost/json/serialize.hpp>

#include "base/json.h"

namespace slipway::scoring {

std::string ToLine(const Event& event) {
  json::object line{{"event", event.name}};
  for (const auto& [key, value] : event.counts) line[key] = value;
  for (const auto& [key, value] : event.texts) line[key] = value;
  if (!event.seconds.empty()) {
    json::object seconds;
    for (const auto& [key, value] : event.seconds) seconds[key] = value;
    line["seconds"] = std::move(seconds);
  }
  return json::serialize(line);
}

Result<Event> ParseEvent(const std::string& text) {
  ASSIGN(auto value, ParseJson(text));
  ASSIGN(auto object, JsonObject::From(value, "event"));
  Event event;
  ASSIGN(event.name, object.String("event"));
  for (const auto& [key, item] : object.object()) {
    if (key == "event") continue;
    if (item.is_int64()) event.counts[std::string(key)] = item.get_int64();
    if (item.is_string()) event.texts[std::string(key)] = std::string(item.get_string());
    if (key == "seconds" && item.is_object())
      for (const auto& [stage, seconds] : item.get_object())
        event.seconds[std::string(stage)] = seconds.to_number<double>();
  }
  return event;
}

}  // namespace slipway::scoring
