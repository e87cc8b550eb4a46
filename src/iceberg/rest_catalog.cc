#include <boost/json/serialize.hpp>

#include "base/format.h"
#include "base/json.h"
#include "base/url.h"
#include "iceberg/rest_client.h"
#include "iceberg/table_place.h"

namespace slipway::iceberg {
namespace {

using Kind = RestClient::Kind;

/// The levels of "a.b".
json::array Levels(const std::string& schema) {
  json::array levels;
  for (size_t at = 0; at <= schema.size();) {
    auto dot = std::min(schema.find('.', at), schema.size());
    levels.emplace_back(schema.substr(at, dot - at));
    at = dot + 1;
  }
  return levels;
}

std::string NamespacePath(const std::string& schema) {
  std::string joined;
  for (const auto& level : Levels(schema))
    joined += (joined.empty() ? "" : "%1F") + UrlEncode(std::string_view(level.as_string()));
  return "/namespaces/" + joined;
}

std::string TablePath(const TableIdentifier& id) { return NamespacePath(id.schema) + "/tables/" + UrlEncode(id.table); }

std::string TextIn(const json::object& object, std::string_view key) {
  const auto* value = object.if_contains(key);
  return value != nullptr && value->is_string() ? std::string(value->get_string()) : "";
}

/// The access to S3 that comes with a table: of the storage credentials the one for the longest prefix of its location,
/// else what its config says.
S3Access AccessOf(const json::object& answer, const std::string& location) {
  json::object config;
  if (const auto* given = answer.if_contains("config"); given != nullptr && given->is_object())
    config = given->get_object();
  const json::object* best = nullptr;
  size_t longest = 0;
  if (const auto* list = answer.if_contains("storage-credentials"); list != nullptr && list->is_array()) {
    for (const auto& item : list->get_array()) {
      if (!item.is_object()) continue;
      auto prefix = TextIn(item.get_object(), "prefix");
      const auto* given = item.get_object().if_contains("config");
      if (given == nullptr || !given->is_object() || !location.starts_with(prefix) ||
          (best != nullptr && prefix.size() <= longest))
        continue;
      best = &given->get_object();
      longest = prefix.size();
    }
  }
  if (best != nullptr)
    for (const auto& [key, value] : *best) config[key] = value;
  auto region = TextIn(config, "s3.region");
  return {TextIn(config, "s3.endpoint"), region.empty() ? TextIn(config, "client.region") : region,
          TextIn(config, "s3.access-key-id"), TextIn(config, "s3.secret-access-key"),
          TextIn(config, "s3.session-token")};
}

json::object Action(const char* name, json::object fields) {
  fields["action"] = name;
  return fields;
}

/// The updates that make a staged table: as the Java client sends them.
json::array UpdatesThatCreate(const json::object& raw) {
  json::array updates{
      Action("assign-uuid", {{"uuid", raw.at("table-uuid")}}),
      Action("upgrade-format-version", {{"format-version", raw.at("format-version")}}),
      Action("add-schema", {{"schema", raw.at("schemas").at(0)}, {"last-column-id", raw.at("last-column-id")}}),
      Action("set-current-schema", {{"schema-id", -1}}),
      Action("add-spec", {{"spec", raw.at("partition-specs").at(0)}}),
      Action("set-default-spec", {{"spec-id", -1}}),
      Action("add-sort-order", {{"sort-order", raw.at("sort-orders").at(0)}}),
      Action("set-default-sort-order", {{"sort-order-id", -1}}),
      Action("set-location", {{"location", raw.at("location")}}),
  };
  if (const auto* properties = raw.if_contains("properties"); properties != nullptr && properties->is_object())
    updates.push_back(Action("set-properties", {{"updates", *properties}}));
  return updates;
}

class RestCatalog final : public Catalog {
 public:
  RestCatalog(const CatalogPlace& place, const CatalogCredentials& credentials) : client_(place, credentials) {}

  Result<Table> Load(const TableIdentifier& id) override {
    auto answer = client_.Send("GET", TablePath(id), nullptr, Kind::kRead);
    if (!answer && answer.error().kind == ErrorKind::kNotFound)
      return Fail(ErrorKind::kNotFound, "the catalog '{}' has no table {}", client_.place().name, ToString(id));
    TRY(answer);
    return TableOf(id, std::move(*answer));
  }

  Result<std::vector<TableIdentifier>> List() override {
    std::vector<TableIdentifier> tables;
    TRY(Pages("/namespaces", "namespaces", [&](const json::value& levels) -> Result<> {
      std::string schema;
      if (!levels.is_array())
        return Fail(ErrorKind::kCorrupt, "catalog '{}': a namespace is no list", client_.place().name);
      for (const auto& level : levels.get_array())
        schema += (schema.empty() ? "" : ".") + (level.is_string() ? std::string(level.get_string()) : "?");
      return Pages(NamespacePath(schema) + "/tables", "identifiers", [&](const json::value& item) -> Result<> {
        ASSIGN(auto object, JsonObject::From(item, "identifier"));
        ASSIGN(auto name, object.String("name"));
        tables.push_back({schema, name});
        return {};
      });
    }));
    return tables;
  }

  Result<NewPlace> NewTablePlace(const TableIdentifier& id) override {
    Schema schema;
    schema.fields.push_back({1, "id", false, {TypeId::kLong}});
    ASSIGN(auto metadata, NewMetadata("", schema, {}, 0));
    ASSIGN(auto staged, Stage(id, metadata));
    return NewPlace{staged.metadata.location, staged.io};
  }

  Result<Table> Stage(const TableIdentifier& id, const TableMetadata& wanted) override {
    TRY(MakeNamespace(id.schema));
    const auto& raw = wanted.raw;
    json::object body{{"name", id.table},
                      {"schema", raw.at("schemas").at(0)},
                      {"partition-spec", raw.at("partition-specs").at(0)},
                      {"write-order", raw.at("sort-orders").at(0)},
                      {"properties", raw.at("properties")},
                      {"stage-create", true}};
    ASSIGN(auto answer, client_.Send("POST", NamespacePath(id.schema) + "/tables", body, Kind::kRead));
    ASSIGN(auto table, TableOf(id, std::move(answer)));
    table.metadata_location.clear();
    return table;
  }

  Result<> Publish(const TableUpdate& update) override {
    json::value body;
    try {
      body = BodyOf(update);
    } catch (const std::exception& error) {  // a member is missing, or of another kind
      return Fail(ErrorKind::kCorrupt, "catalog '{}': the metadata of {}: {}", client_.place().name,
                  ToString(update.base.id), error.what());
    }
    TRY(client_.Send("POST", TablePath(update.base.id), body, Kind::kChange));
    return {};
  }

 private:
  static json::object BodyOf(const TableUpdate& update) {
    bool creates = update.base.metadata_location.empty();
    const auto& raw = update.base.metadata.raw;
    json::array requirements, updates;
    if (creates) {
      requirements.push_back(json::object{{"type", "assert-create"}});
      updates = UpdatesThatCreate(raw);
    } else {
      if (const auto* uuid = raw.if_contains("table-uuid"))  // version 1 may have none
        requirements.push_back(json::object{{"type", "assert-table-uuid"}, {"uuid", *uuid}});
      // The files were written by this schema: a column that was dropped and added again is another one.
      if (const auto* schema = raw.if_contains("current-schema-id"))
        requirements.push_back(json::object{{"type", "assert-current-schema-id"}, {"current-schema-id", *schema}});
      const auto& parent = update.base.metadata.current_snapshot_id;
      requirements.push_back(json::object{{"type", "assert-ref-snapshot-id"},
                                          {"ref", "main"},
                                          {"snapshot-id", parent ? json::value(*parent) : json::value(nullptr)}});
    }
    const auto& snapshots = update.next.raw.at("snapshots").as_array();
    updates.push_back(Action("add-snapshot", {{"snapshot", snapshots.back()}}));
    updates.push_back(Action("set-snapshot-ref",
                             {{"ref-name", "main"}, {"type", "branch"}, {"snapshot-id", update.snapshot.snapshot_id}}));
    return {{"identifier", json::object{{"namespace", Levels(update.base.id.schema)}, {"name", update.base.id.table}}},
            {"requirements", std::move(requirements)},
            {"updates", std::move(updates)}};
  }

  Result<Table> TableOf(const TableIdentifier& id, json::value answer) {
    auto where = fmt::format("catalog '{}': table {}", client_.place().name, ToString(id));
    ASSIGN(auto object, JsonObject::From(answer, where));
    ASSIGN(auto location, object.String("metadata-location", ""));
    auto* metadata = answer.get_object().if_contains("metadata");
    if (metadata == nullptr || !metadata->is_object())
      return Fail(ErrorKind::kCorrupt, "{}: the answer has no metadata", where);
    ASSIGN(auto parsed, Wrap(ParseMetadata(std::move(metadata->get_object())), where));
    auto io = Files(id, AccessOf(object.object(), parsed.location), {parsed.location, FolderOfTable(location)});
    return Table{id, location, std::move(parsed), std::move(io), client_.place().limits};
  }

  /// A catalog of this kind keeps its tables apart itself: where it says that a table is, the table is.
  std::shared_ptr<FileIo> Files(const TableIdentifier& id, const S3Access& access, std::vector<std::string> own) const {
    const auto& place = client_.place();
    std::erase_if(own, [](const auto& folder) { return !FileIo::IsRemote(folder); });  // a disk: by the settings alone
    bool is_location = FileIo::IsRemote(place.warehouse) || FileIo::Canonical(place.warehouse).starts_with('/');
    return TablePlace::Hold(FileIo(access), {.table = ToString(id),
                                             .catalog = place.name,
                                             .setting = place.SettingOfPrefixes(),
                                             .own = std::move(own),
                                             .warehouse = is_location ? place.warehouse : "",
                                             .admitted = place.allowed_prefixes,
                                             .any_of_s3 = !access.access_key.empty()});
  }

  Result<> MakeNamespace(const std::string& schema) {
    auto there = client_.Send("GET", NamespacePath(schema), nullptr, Kind::kRead);
    if (there || there.error().kind != ErrorKind::kNotFound) return there ? Result<>() : Failure(there.error());
    auto made = client_.Send("POST", "/namespaces",
                             json::object{{"namespace", Levels(schema)}, {"properties", json::object{}}}, Kind::kRead);
    if (!made && made.error().kind != ErrorKind::kConflict) return Failure(made.error());
    return {};
  }

  /// Every item of a paged list.
  template <typename F>
  Result<> Pages(const std::string& path, std::string_view key, F&& take) {
    std::string token;
    do {
      ASSIGN(auto answer,
             client_.Send("GET", token.empty() ? path : path + "?pageToken=" + UrlEncode(token), nullptr, Kind::kRead));
      ASSIGN(auto object, JsonObject::From(answer, path));
      ASSIGN(auto items, object.Array(key));
      for (const auto& item : *items) TRY(take(item));
      ASSIGN(token, object.String("next-page-token", ""));
    } while (!token.empty());
    return {};
  }

  RestClient client_;
};

}  // namespace

Result<std::unique_ptr<Catalog>> OpenRestCatalog(const CatalogPlace& place, const CatalogCredentials& credentials) {
  if (!place.uri.starts_with("http://") && !place.uri.starts_with("https://"))
    return Fail(ErrorKind::kInvalid, "catalog '{}': a rest catalog is at http(s)://…, not at '{}'", place.name,
                place.uri);
  return std::make_unique<RestCatalog>(place, credentials);
}

Result<std::unique_ptr<Catalog>> OpenCatalog(const CatalogPlace& place, const CatalogCredentials& credentials) {
  if (place.kind == "sql") return OpenSqlCatalog(place, credentials);
  if (place.kind == "rest") return OpenRestCatalog(place, credentials);
  return Fail(ErrorKind::kInvalid, "catalog '{}': the kind is sql or rest, not '{}'", place.name, place.kind);
}

}  // namespace slipway::iceberg
