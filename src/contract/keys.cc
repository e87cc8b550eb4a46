#include "contract/deployment_body.h"
#include "contract/fields.h"

/// Keys, and who has them.
namespace slipway::contract {
namespace {

FieldDescription Days() {
  return Optional("expires_in_days", {.kind = Kind::kInteger, .least = 1, .most = 3660},
                  "until it stops working; the server has a usual number of days, and a largest one");
}

FieldDescription Description() { return {"description", {.max_length = 500}, std::nullopt, "what the key is for"}; }

/// What every key shows.
std::vector<FieldDescription> KeyFields() {
  return {Text("id", "a UUID"),
          Text("description", ""),
          Text("created_at", "RFC 3339, UTC"),
          Text("expires_at", "RFC 3339, UTC"),
          Nullable("last_used_at", Kind::kString, "RFC 3339, UTC; some minutes old at most"),
          {"is_active", {.kind = Kind::kBoolean}, std::nullopt, "it has not expired"},
          Text("user_id", "the subject of its owner")};
}

}  // namespace

const ObjectDescription& UserKeyBody() {
  static const ObjectDescription kBody{"NewUserKey", {Description(), Days()}, {}};
  return kBody;
}

const ObjectDescription& ServiceAccountBody() {
  static const ObjectDescription kBody{
      "NewServiceAccount",
      {{"name",
        {.max_length = 63, .pattern = "^[a-z0-9]([-a-z0-9]*[a-z0-9])?$", .matches = IsLabel},
        std::nullopt,
        "as a deployment is named"},
       {"description", {.max_length = 500}, std::nullopt, "what it is for, and who answers for it"},
       Defaulted("roles", {.kind = Kind::kStringList}, json::array(), "as a person has them, for allowed_roles")},
      {}};
  return kBody;
}

const ObjectDescription& ServiceKeyBody() {
  static const ObjectDescription kBody{
      "NewServiceKey",
      {Description(),
       {"scopes",
        {.kind = Kind::kStringList,
         .literals = {"deployments:read", "deployments:write", "runs:trigger", "runs:report"},
         .least_items = 1},
        std::nullopt,
        "what it may do (auth/permissions.cc)"},
       Defaulted("models", {.kind = Kind::kStringList, .nullable = true}, nullptr,
                 "the models that it reaches; null: all"),
       Days()},
      {}};
  return kBody;
}

const ObjectDescription& UserKeyView() {
  static const ObjectDescription kView{"UserKey", KeyFields(), {}};
  return kView;
}

const ObjectDescription& ServiceKeyView() {
  static const ObjectDescription kView{
      "ServiceKey",
      [] {
        auto fields = KeyFields();
        fields.push_back({"scopes", {.kind = Kind::kStringList}, std::nullopt, "what it may do"});
        fields.push_back(
            {"models", {.kind = Kind::kStringList, .nullable = true}, std::nullopt, "that it reaches; null: all"});
        return fields;
      }(),
      {}};
  return kView;
}

const ObjectDescription& NewUserKeyView() {
  static const ObjectDescription kView{
      "CreatedUserKey",
      {Text("id", "a UUID"), Text("psk", "the key; shown this once"), Text("created_at", "RFC 3339, UTC"),
       Text("message", ""), Text("description", ""), Text("expires_at", "RFC 3339, UTC")},
      {}};
  return kView;
}

const ObjectDescription& ServiceAccountView() {
  static const ObjectDescription kView{"ServiceAccount",
                                       {Text("name", ""),
                                        Text("description", ""),
                                        {"roles", {.kind = Kind::kStringList}, std::nullopt, ""},
                                        Text("created_by", "the subject of who made it"),
                                        Text("created_at", "RFC 3339, UTC")},
                                       {}};
  return kView;
}

}  // namespace slipway::contract
