#include "cli/answers.h"

#include <boost/json/serialize.hpp>
#include <iostream>

#include "base/json.h"
#include "base/url.h"
#include "cli/terminal.h"

namespace slipway::cli {

std::string Cell(const json::value& value) {
  if (value.is_null()) return "-";
  return value.is_string() ? std::string(value.get_string()) : json::serialize(value);
}

void PrintRecord(const Context& context, const json::value& answer) {
  if (context.json) {
    std::cout << json::serialize(answer) << "\n";
    return;
  }
  std::vector<std::vector<std::string>> rows;
  for (const auto& [key, value] : answer.as_object())
    if (!value.is_null()) rows.push_back({std::string(key), Cell(value)});
  PrintTable({"FIELD", "VALUE"}, rows);
}

bool IsWarned(const json::value& run) {
  const auto* warning = run.as_object().if_contains("warning");
  return warning != nullptr && !warning->is_null();
}

void PrintItems(const Context& context, const json::value& answer, const std::vector<std::string>& columns) {
  if (context.json) {
    std::cout << json::serialize(answer) << "\n";
    return;
  }
  std::vector<std::vector<std::string>> rows;
  for (const auto& item : answer.at("items").as_array()) {
    std::vector<std::string> row;
    for (const auto& column : columns) {
      const auto* value = item.as_object().if_contains(column);
      if (column == "status" && IsWarned(item))
        row.push_back("succeeded, with a warning");
      else if (column == "last_run" && value != nullptr && value->is_object())
        row.push_back(IsWarned(*value) ? "succeeded, with a warning" : Cell(value->at("status")));
      else
        row.push_back(value == nullptr ? "-" : Cell(*value));
    }
    rows.push_back(std::move(row));
  }
  std::vector<std::string> header;
  for (auto name : columns) {
    for (auto& c : name) c = static_cast<char>(std::toupper(static_cast<unsigned char>(c)));
    header.push_back(name);
  }
  PrintTable(header, rows);
}

std::string DeploymentPath(const std::string& model, const std::string& name) {
  return "/api/models/" + UrlEncode(model) + "/deployments/" + UrlEncode(name);
}

}  // namespace slipway::cli
