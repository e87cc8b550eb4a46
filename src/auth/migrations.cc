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
    // Absent: of keys and people from before; the next start of a server fills it in (UserKeys::DateUndated).
    {30, "ALTER TABLE user_keys ADD COLUMN expires_at BIGINT"},
    {31, "ALTER TABLE user_keys ADD COLUMN last_used_at BIGINT"},
    {32, "ALTER TABLE user_keys ADD COLUMN scope TEXT"},
    {33, "ALTER TABLE people ADD COLUMN seen_at BIGINT"},
    {34, R"(CREATE TABLE service_accounts (
          name TEXT PRIMARY KEY, subject TEXT NOT NULL UNIQUE REFERENCES people (subject), description TEXT NOT NULL,
          created_by TEXT NOT NULL, created_at BIGINT NOT NULL, removed_at BIGINT))"},
    // clang-format on
};

}  // namespace

std::span<const Migration> Migrations() { return kMigrations; }

}  // namespace slipway::auth
