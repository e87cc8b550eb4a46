#include "server/openapi.h"

#include <algorithm>

#include "base/json.h"

namespace slipway::server {
namespace {

json::object Reference(const std::string& name) { return {{"$ref", "#/components/schemas/" + name}}; }

json::object Content(json::value schema, std::string_view description) {
  return {{"description", description},
          {"content", json::object{{"application/json", json::object{{"schema", std::move(schema)}}}}}};
}

void AddSchemas(const contract::ObjectDescription* description, json::object& schemas) {
  if (description == nullptr || schemas.contains(description->name)) return;
  schemas[description->name] = ToSchema(*description);
  for (const auto& field : description->fields) AddSchemas(field.type.object, schemas);
}

json::array Parameters(const Operation& operation) {
  json::array parameters;
  for (size_t at = operation.path.find('{'); at != std::string::npos; at = operation.path.find('{', at + 1)) {
    auto name = operation.path.substr(at + 1, operation.path.find('}', at) - at - 1);
    parameters.push_back(
        json::object{{"name", name}, {"in", "path"}, {"required", true}, {"schema", json::object{{"type", "string"}}}});
  }
  if (operation.query != nullptr) {
    auto schema = ToSchema(*operation.query);
    for (const auto& field : operation.query->fields)
      parameters.push_back(json::object{{"name", field.name},
                                        {"in", "query"},
                                        {"required", false},
                                        {"schema", schema["properties"].as_object()[field.name]}});
  }
  return parameters;
}

/// "POST /api/models/{model}/deployments" → "post_api_models_model_deployments"
std::string OperationId(const Operation& operation) {
  std::string id;
  for (unsigned char c : operation.method + operation.path) {
    if (std::isalnum(c))
      id += static_cast<char>(std::tolower(c));
    else if (!id.ends_with('_') && c != '}')
      id += '_';
  }
  return id;
}

/// What the page groups operations by.
std::string_view TagOf(std::string_view path) {
  if (path.find("/run/") != std::string_view::npos) return "online";
  if (path.find("/runs") != std::string_view::npos || path.ends_with("/trigger") || path.ends_with("/backfill"))
    return "runs";
  if (path.starts_with("/api/models") || path == "/api/deployments") return "deployments";
  if (path.starts_with("/api/user") || path.starts_with("/api/service-accounts")) return "keys";
  return path.starts_with("/api/") ? "platform" : "server";
}

json::object PageSchema(const std::string& name) {
  return {{"type", "object"},
          {"required", json::array{"items", "next_cursor"}},
          {"properties", json::object{{"items", json::object{{"type", "array"}, {"items", Reference(name)}}},
                                      {"next_cursor", json::object{{"type", json::array{"string", "null"}}}}}}};
}

}  // namespace

json::object OpenApiDocument(const std::vector<Operation>& operations, const std::optional<Login>& login) {
  json::object paths,
      schemas{{"Error", json::object{{"type", "object"},
                                     {"required", json::array{"detail"}},
                                     {"properties", json::object{{"detail", json::object{{"type", "string"}}}}}}},
              {"ValidationErrors",
               json::object{
                   {"type", "object"},
                   {"required", json::array{"detail"}},
                   {"properties",
                    json::object{
                        {"detail",
                         json::object{{"type", "array"},
                                      {"items", json::object{{"type", "object"},
                                                             {"required", json::array{"type", "loc", "msg"}}}}}}}}}}};
  for (const auto& operation : operations) {
    AddSchemas(operation.body, schemas);
    AddSchemas(operation.answer, schemas);
    json::object responses;
    auto success = operation.answer == nullptr
                       ? json::object{{"description", "OK"}}
                       : Content(operation.list ? json::value(PageSchema(operation.answer->name))
                                                : json::value(Reference(operation.answer->name)),
                                 "OK");
    if (operation.also != 0) responses[std::to_string(operation.also)] = success;
    responses[std::to_string(operation.success)] = std::move(success);
    json::object described{{"tags", json::array{TagOf(operation.path)}},
                           {"summary", operation.summary},
                           {"parameters", Parameters(operation)}};
    if (operation.guarded) {
      for (const char* status : {"400", "401", "403", "404", "409", "503"})
        responses[status] = Content(Reference("Error"), "an error");
      described["security"] =
          json::array{json::object{{"bearer", json::array{}}}, json::object{{"psk", json::array{}}}};
    }
    if (operation.body != nullptr || operation.query != nullptr)
      responses["422"] = Content(Reference("ValidationErrors"), "the request does not validate");
    if (operation.body != nullptr) {
      described["requestBody"] = json::object{
          {"required", !operation.body_optional},
          {"content", json::object{{"application/json", json::object{{"schema", Reference(operation.body->name)}}}}}};
    }
    described["responses"] = std::move(responses);
    std::string method = operation.method;
    std::ranges::transform(method, method.begin(), [](unsigned char c) { return static_cast<char>(std::tolower(c)); });
    described["operationId"] = OperationId(operation);
    if (!paths.contains(operation.path)) paths[operation.path] = json::object{};
    paths[operation.path].as_object()[method] = std::move(described);
  }
  json::object schemes{
      {"bearer",
       json::object{{"type", "http"}, {"scheme", "bearer"}, {"description", "a Keycloak access token, or a key"}}},
      {"psk",
       json::object{
           {"type", "apiKey"}, {"in", "header"}, {"name", "Authorization-PSK"}, {"description", "a pre-shared key"}}}};
  // Where tokens come from; `slipway login` reads it.
  if (login)
    schemes["oidc"] = json::object{{"type", "openIdConnect"},
                                   {"openIdConnectUrl", login->issuer + "/.well-known/openid-configuration"},
                                   {"x-client-id", login->client}};
  return {{"openapi", "3.1.0"},
          {"info", json::object{{"title", "Slipway"}, {"version", "0.1.0"}}},
          {"paths", std::move(paths)},
          {"components", json::object{{"schemas", std::move(schemas)}, {"securitySchemes", std::move(schemes)}}}};
}

}  // namespace slipway::server
