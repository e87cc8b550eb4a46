#include "scoring/events.h"

#include <boost/json/serialize.hpp>

#include "base/format.h"
#include "base/json.h"

namespace slipway::scoring {
namespace {

constexpr size_t kDeepest = 4;

json::object ToJson(const Planned& event) {
  return {{"event", "planned"},   {"rows", event.rows},
          {"files", event.files}, {"skipped_files", event.skipped_files},
          {"parts", event.parts}, {"model_version", event.model_version}};
}

json::object ToJson(const Progress& event) {
  return {{"event", "progress"}, {"read", event.read}, {"scored", event.scored}, {"written", event.written}};
}

json::object ToJson(const Stages& event) {
  return {{"event", "stages"},
          {"rows", event.rows},
          {"seconds",
           json::object{
               {"decode", event.decode}, {"filter", event.filter}, {"score", event.score}, {"write", event.write}}}};
}

json::object ToJson(const Committed& event) {
  json::object object{{"event", "committed"},
                      {"rows", event.rows},
                      {"snapshot_id", event.snapshot_id},
                      {"peak_kib", event.peak_kib},
                      {"already_committed", int64_t{event.already_committed}},
                      {"model_version", event.model_version}};
  if (event.left_out > 0) object["left_out"] = event.left_out;
  return object;
}

json::object ToJson(const Failed& event) {
  json::object object{{"event", "failed"}, {"kind", ToString(event.kind)}, {"message", event.message}};
  if (event.cut_off) object["cut_off"] = true;
  return object;
}

Result<double> Seconds(const JsonObject& object, std::string_view stage) {
  const auto* value = object.Find(stage);
  if (value == nullptr) return 0.0;
  if (value->is_double()) return value->get_double();
  if (value->is_int64()) return static_cast<double>(value->get_int64());
  return Fail(ErrorKind::kInvalid, "event: '{}' is not a number of seconds", stage);
}

Result<Event> ParseStages(const JsonObject& object) {
  Stages event;
  ASSIGN(event.rows, object.Int("rows", 0));
  ASSIGN(auto seconds, object.Object("seconds"));
  ASSIGN(event.decode, Seconds(seconds, "decode"));
  ASSIGN(event.filter, Seconds(seconds, "filter"));
  ASSIGN(event.score, Seconds(seconds, "score"));
  ASSIGN(event.write, Seconds(seconds, "write"));
  return event;
}

Result<Event> ParseCommitted(const JsonObject& object) {
  Committed event;
  ASSIGN(event.rows, object.Int("rows"));
  ASSIGN(event.snapshot_id, object.Int("snapshot_id"));
  ASSIGN(event.model_version, object.String("model_version"));
  ASSIGN(auto already, object.Int("already_committed", 0));
  event.already_committed = already != 0;
  ASSIGN(event.peak_kib, object.Int("peak_kib", 0));
  ASSIGN(event.left_out, object.Int("left_out", 0));
  return event;
}

Result<Event> ParsePlanned(const JsonObject& object) {
  Planned event;
  ASSIGN(event.rows, object.Int("rows"));
  ASSIGN(event.files, object.Int("files", 0));
  ASSIGN(event.skipped_files, object.Int("skipped_files", 0));
  ASSIGN(event.parts, object.Int("parts", 1));
  ASSIGN(event.model_version, object.String("model_version", ""));
  return event;
}

Result<Event> ParseProgress(const JsonObject& object) {
  Progress event;
  ASSIGN(event.read, object.Int("read", 0));
  ASSIGN(event.scored, object.Int("scored"));
  ASSIGN(event.written, object.Int("written", 0));
  return event;
}

Result<Event> ParseFailed(const JsonObject& object) {
  Failed event;
  ASSIGN(auto kind, object.String("kind", ""));
  event.kind = KindNamed(kind);
  ASSIGN(event.message, object.String("message", "it failed without a message"));
  ASSIGN(event.cut_off, object.Bool("cut_off", false));
  return event;
}

constexpr std::pair<std::string_view, Result<Event> (*)(const JsonObject&)> kEvents[] = {
    {"planned", ParsePlanned},     {"progress", ParseProgress}, {"stages", ParseStages},
    {"committed", ParseCommitted}, {"failed", ParseFailed},
};

}  // namespace

Stages& Stages::operator+=(const Stages& other) {
  rows += other.rows;
  decode += other.decode;
  filter += other.filter;
  score += other.score;
  write += other.write;
  return *this;
}

std::string ToLine(const Event& event) {
  return std::visit([](const auto& kind) { return json::serialize(ToJson(kind)); }, event);
}

Result<Event> ParseEvent(std::string_view line) {
  ASSIGN(auto value, ParseJson(line, kDeepest));
  ASSIGN(auto object, JsonObject::From(value, "event"));
  ASSIGN(auto name, object.String("event"));
  for (const auto& [known, parse] : kEvents)
    if (name == known) return parse(object);
  return Fail(ErrorKind::kInvalid, "event: '{}' is not known", name);
}

}  // namespace slipway::scoring
