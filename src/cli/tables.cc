#include <arrow/array.h>
#include <arrow/record_batch.h>
#include <arrow/scalar.h>
#include <fmt/format.h>

#include <algorithm>
#include <boost/json/serialize.hpp>
#include <filesystem>
#include <iostream>

#include "base/format.h"
#include "base/json.h"
#include "cli/commands.h"
#include "cli/config_flags.h"
#include "cli/environment.h"
#include "cli/terminal.h"
#include "config/settings.h"
#include "expression/filter.h"
#include "iceberg/scan_reader.h"
#include "scoring/pruning.h"

namespace slipway::cli {
namespace {

/// Which catalog a command looks into.
struct Chosen {
  std::string catalog = "iceberg";
  std::shared_ptr<ConfigFlags> flags;
};

Result<std::unique_ptr<iceberg::Catalog>> Open(const Context& context, const Chosen& chosen) {
  auto data_dir = std::filesystem::absolute(context.data_dir).lexically_normal().string();
  if (!std::filesystem::exists(data_dir))
    return Fail(ErrorKind::kNotFound, "no data directory {}; give one with --data-dir", data_dir);
  ASSIGN(auto config, LoadConfig(context, *chosen.flags));
  ASSIGN(auto places, config::PlacesOf(config, data_dir));
  TRY(scoring::Catalogs(places.catalogs, {}).Check(chosen.catalog));
  auto place = std::ranges::find(places.catalogs, chosen.catalog, &iceberg::CatalogPlace::name);
  return iceberg::OpenCatalog(*place, config::SecretsOf(config, Environment("")).catalogs[chosen.catalog]);
}

Result<iceberg::Table> Load(const Context& context, const Chosen& chosen, const std::string& name) {
  auto dot = name.rfind('.');
  if (dot == std::string::npos)
    return Fail(ErrorKind::kInvalid, "'{}' is not the name of a table: write schema.table", name);
  ASSIGN(auto catalog, Open(context, chosen));
  return catalog->Load({name.substr(0, dot), name.substr(dot + 1)});
}

Result<> List(const Context& context, const Chosen& chosen) {
  ASSIGN(auto catalog, Open(context, chosen));
  ASSIGN(auto tables, catalog->List());
  json::array names;
  std::vector<std::vector<std::string>> rows;
  for (const auto& id : tables) {
    names.emplace_back(ToString(id));
    rows.push_back({id.schema, id.table});
  }
  if (context.json)
    std::cout << json::serialize(names) << "\n";
  else
    PrintTable({"SCHEMA", "TABLE"}, rows);
  return {};
}

Result<> Show(const Context& context, const Chosen& chosen, const std::string& name) {
  ASSIGN(auto table, Load(context, chosen, name));
  if (context.json) {
    std::cout << json::serialize(table.metadata.raw) << "\n";
    return {};
  }
  std::vector<std::vector<std::string>> columns, snapshots;
  for (const auto& field : table.metadata.schema.fields)
    columns.push_back({std::to_string(field.id), field.name, ToString(field.type), field.required ? "required" : ""});
  PrintTable({"ID", "COLUMN", "TYPE", ""}, columns);
  for (const auto& snapshot : table.metadata.snapshots) {
    auto text = [&](const char* key) {
      auto f = snapshot.summary.find(key);
      return f == snapshot.summary.end() ? std::string("-") : f->second;
    };
    snapshots.push_back({std::to_string(snapshot.snapshot_id),
                         FormatTimestamp(Timestamp{std::chrono::milliseconds{snapshot.timestamp_ms}}),
                         text("operation"), text("total-records"), text("slipway.run-id")});
  }
  fmt::print("\n");
  PrintTable({"SNAPSHOT", "WRITTEN", "OPERATION", "ROWS", "RUN"}, snapshots);
  return {};
}

Result<> Preview(const Context& context, const Chosen& chosen, const std::string& name, const std::string& filter_sql,
                 int rows) {
  ASSIGN(auto table, Load(context, chosen, name));
  std::vector<iceberg::Field> fields;
  for (const auto& field : table.metadata.schema.fields)
    if (iceberg::IsScalar(field.type)) fields.push_back(field);
  ASSIGN(auto schema, iceberg::ToArrow(fields));
  std::optional<expression::Filter> filter;
  if (!filter_sql.empty()) {
    ASSIGN(filter, Wrap(expression::Filter::Parse(filter_sql, *schema, SystemClock().Now()), "--filter"));
  }
  auto prune = filter ? scoring::PruningPredicate(filter->root(), table.metadata.schema) : iceberg::Predicate::Always();
  ASSIGN(auto scan, iceberg::PlanScan(table, std::nullopt, prune));
  ASSIGN(auto reader, iceberg::ScanReader::Start(table, scan, fields, {.batch_rows = 4096}));
  std::vector<std::string> header;
  for (const auto& field : fields) header.push_back(field.name);
  std::vector<std::vector<std::optional<std::string>>> cells;  // nothing: a null
  while (static_cast<int>(cells.size()) < rows) {
    ASSIGN(auto batch, reader->Next());
    if (batch == nullptr) break;
    if (filter) {
      ASSIGN(batch, filter->Apply(batch));
    }
    for (int64_t row = 0; row < batch->num_rows() && static_cast<int>(cells.size()) < rows; ++row) {
      auto& line = cells.emplace_back();
      for (const auto& column : batch->columns()) {
        auto scalar = column->GetScalar(row);
        line.push_back(scalar.ok() && (*scalar)->is_valid ? std::optional((*scalar)->ToString()) : std::nullopt);
      }
    }
  }
  if (!context.json) {
    std::vector<std::vector<std::string>> shown;
    for (const auto& line : cells) {
      auto& texts = shown.emplace_back();
      for (const auto& cell : line) texts.push_back(cell.value_or("-"));
    }
    return PrintTable(header, shown), Result<>();
  }
  for (const auto& line : cells) {
    json::object object;
    for (size_t i = 0; i < header.size(); ++i)
      object[header[i]] = line[i] ? json::value(*line[i]) : json::value(nullptr);
    std::cout << json::serialize(object) << "\n";
  }
  return {};
}

}  // namespace

void AddTables(Command& app, Context& context) {
  struct Arguments {
    std::string name, filter;
    int rows = 10;
  };
  auto args = std::make_shared<Arguments>();
  auto* tables = app.add_subcommand("tables", "the tables of a catalog");
  auto chosen = std::make_shared<Chosen>();
  tables->add_option("--catalog", chosen->catalog, "the catalog, by its name in the configuration")
      .capture_default_str();
  chosen->flags = AddConfigFlags(*tables);
  tables->require_subcommand();
  tables->add_subcommand("list", "all tables")->callback([&context, chosen] {
    context.chosen = [&context, chosen] { return List(context, *chosen); };
  });
  auto* show = tables->add_subcommand("show", "columns and snapshots of a table");
  show->add_option("table", args->name, "schema.table").required();
  show->callback([&context, chosen, args] {
    context.chosen = [&context, chosen, args] { return Show(context, *chosen, args->name); };
  });
  auto* preview = tables->add_subcommand("preview", "the first rows of a table");
  preview->add_option("table", args->name, "schema.table").required();
  preview->add_option("--filter", args->filter, "a condition, as in filter_sql");
  preview->add_option("--rows", args->rows, "how many").capture_default_str().between(1, 10000);
  preview->footer("Example:\n  slipway tables preview ml.churn_scores --filter \"prediction > 0.9\"");
  preview->callback([&context, chosen, args] {
    context.chosen = [&context, chosen, args] {
      return Preview(context, *chosen, args->name, args->filter, args->rows);
    };
  });
}

}  // namespace slipway::cli
