#include "auth/user_keys.h"

#include <gtest/gtest.h>

#include <filesystem>

#include "auth/migrations.h"
#include "base/ids.h"
#include "database/schema.h"

namespace slipway::auth {
namespace {

namespace fs = std::filesystem;

Timestamp At(std::string_view text) { return ParseTimestamp(text).value(); }

class Keys : public ::testing::Test {
 protected:
  Keys() { EXPECT_TRUE(keys_.Remember({"u-1", "ana", {"red", "blue"}}, At("2024-01-01T00:00:00Z"))); }
  ~Keys() override {
    database_.reset();
    for (const auto* suffix : {"", "-wal", "-shm"}) fs::remove(path_.string() + suffix);
  }
  std::string OwnerOf(std::string_view secret) {
    auto owner = keys_.FindOwner(secret);
    EXPECT_TRUE(owner) << owner.error().message;
    return *owner ? (*owner)->subject : "nobody";
  }

  fs::path path_ = fs::temp_directory_path() / ("slipway-user-keys-" + NewUuid());
  std::unique_ptr<Database> database_ = Database::Open(path_.string(), AllOf(Migrations())).value();
  UserKeys keys_{*database_};
};

TEST_F(Keys, AKeyIsItsOwnersUntilItIsRevoked) {
  auto [key, secret] = keys_.Create("u-1", "é \"laptop\"", At("2024-01-02T00:00:00Z")).value();
  EXPECT_EQ(OwnerOf(secret), "u-1");
  EXPECT_EQ(keys_.FindOwner(secret).value()->roles, (std::set<std::string>{"blue", "red"}));
  EXPECT_EQ(OwnerOf(secret + "0"), "nobody");
  EXPECT_EQ(OwnerOf(""), "nobody");
  EXPECT_EQ(OwnerOf(key.id), "nobody");
  EXPECT_EQ(OwnerOf(Sha256(secret)), "nobody");
  ASSERT_TRUE(keys_.Revoke("u-1", key.id, At("2024-01-03T00:00:00Z")));
  EXPECT_EQ(OwnerOf(secret), "nobody");
  EXPECT_EQ(keys_.Revoke("u-1", key.id, At("2024-01-04T00:00:00Z")).error().kind, ErrorKind::kNotFound);
  EXPECT_TRUE(keys_.List("u-1").value().empty());
}

TEST_F(Keys, ANewSecretEndsTheOldOne) {
  auto [key, old] = keys_.Create("u-1", "laptop", At("2024-01-02T00:00:00Z")).value();
  auto [same, secret] = keys_.Regenerate("u-1", key.id).value();
  EXPECT_EQ(same.id, key.id);
  EXPECT_EQ(OwnerOf(old), "nobody");
  EXPECT_EQ(OwnerOf(secret), "u-1");
}

TEST_F(Keys, NobodyTouchesAnothersKeys) {
  ASSERT_TRUE(keys_.Remember({"u-2", "bob", {}}, At("2024-01-01T00:00:00Z")));
  auto [key, secret] = keys_.Create("u-1", "laptop", At("2024-01-02T00:00:00Z")).value();
  EXPECT_EQ(keys_.Regenerate("u-2", key.id).error().kind, ErrorKind::kNotFound);
  EXPECT_EQ(keys_.Revoke("u-2", key.id, At("2024-01-03T00:00:00Z")).error().kind, ErrorKind::kNotFound);
  EXPECT_TRUE(keys_.List("u-2").value().empty());
  EXPECT_EQ(OwnerOf(secret), "u-1");
}

TEST_F(Keys, TheListIsInTheOrderOfMaking) {
  for (const auto* name : {"c", "a", "b"}) ASSERT_TRUE(keys_.Create("u-1", name, At("2024-01-02T00:00:00Z")));
  std::string names;
  auto list = keys_.List("u-1").value();
  for (const auto& key : list) names += key.description;
  EXPECT_EQ(names, "cab");
}

TEST_F(Keys, AnOlderTokenChangesNobodysRoles) {
  auto secret = keys_.Create("u-1", "laptop", At("2024-01-02T00:00:00Z")).value().second;
  ASSERT_TRUE(keys_.Remember({"u-1", "ana", {}}, At("2024-01-05T00:00:00Z")));
  ASSERT_TRUE(keys_.Remember({"u-1", "ana", {"red", "admin"}}, At("2024-01-04T00:00:00Z")));
  EXPECT_TRUE(keys_.FindOwner(secret).value()->roles.empty());
}

}  // namespace
}  // namespace slipway::auth
