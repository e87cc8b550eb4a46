#include <cstdlib>

#include "base/json.h"
#include "dispatch/airflow/dag_file.h"

/// Whatever people write into a deployment: the DAG is ASCII, holds its data in one literal that nothing ends early,
/// and the data comes back.
extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  using namespace slipway;
  auto value = ParseJson({reinterpret_cast<const char*>(data), size});
  if (!value || !value->is_string()) return 0;
  std::string text(value->get_string());
  deployments::Deployment deployment{
      .deployment_id = "00000000-0000-0000-0000-000000000001", .model = text, .name = "d"};
  deployment.spec.owner = deployment.spec.domain = text;
  deployment.spec.batch = {.model = {.name = text, .version = "1", .alias = {}},
                           .source = {.schema = text, .table = text, .filter_sql = text, .snapshot_id = {}},
                           .target = {.schema = text, .table = text},
                           .entity_columns = {text}};
  auto file = dispatch::RenderDag(deployment, {.callback_url = "http://slipway"});
  if (!file) std::abort();
  for (unsigned char c : file->text)
    if (c >= 0x80 || (c < 0x20 && c != '\n')) std::abort();
  auto start = file->text.find("r'''") + 4, end = file->text.find("'''", start);
  auto literal = file->text.substr(start, end - start);
  auto carried = ParseJson(literal);
  if (!carried || literal.find('\n') != std::string::npos) std::abort();
  if (carried->at("work").at("source").at("filter_sql") != json::value(text) ||
      carried->at("model") != json::value(text))
    std::abort();
  if (file->text.find("'''", end + 3) != std::string::npos) std::abort();
  for (unsigned char c : dispatch::DagIdOf(deployment))
    if (std::isalnum(c) == 0 && c != '.' && c != '_' && c != '-') std::abort();
  return 0;
}
