#include "auth/migrations.h"

namespace slipway::auth {
namespace {

/// Never edit one that was released: add another, with the next number of all folders (see server/serve.cc).
constexpr Migration kMigrations[] = {
    // clang-format off
    {12, R"(CREATE TABLE people (
          subject TEXT PRIMARY KEY, username TEXT NOT NULL, roles TEXT NOT NULL, token_issued_at BIGINT NOT NULL))"},
    {13, R"(CREATE TABLE user_keys (
          sequence {identity}, id TEXT NOT NULL UNIQUE, subject TEXT NOT NULL REFERENCES people (subject),
          hash TEXT NOT NULL UNIQUE, description TEXT NOT NULL, created_at BIGINT NOT NULL, revoked_at BIGINT))"},
    {14, "CREATE INDEX keys_of_subject ON user_keys (subject, sequence)"},
    {29, "CREATE TABLE signing_keys (id TEXT PRIMARY KEY, secret TEXT NOT NULL, made_at BIGINT NOT NULL)"},
    // clang-format on
};

}  // namespace

std::span<const Migration> Migrations() { return kMigrations; }

}  // namespace slipway::auth
