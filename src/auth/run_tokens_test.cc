#include "auth/run_tokens.h"

#include <gtest/gtest.h>

#include <filesystem>

#include "auth/migrations.h"
#include "base/encoding.h"
#include "base/ids.h"
#include "database/schema.h"
#include "database/sql.h"

namespace slipway::auth {
namespace {

namespace fs = std::filesystem;
using namespace std::chrono_literals;

class Tokens : public ::testing::Test {
 protected:
  ~Tokens() override {
    database_.reset();
    for (const auto* suffix : {"", "-wal", "-shm"}) fs::remove(path_.string() + suffix);
  }
  /// What is said of a token: "valid", or why not.
  static std::string Told(RunTokens& tokens, const std::string& token) {
    auto grant = tokens.Verify(token);
    if (grant) return "valid";
    EXPECT_EQ(grant.error().kind, ErrorKind::kDenied) << grant.error().message;
    return grant.error().message;
  }
  size_t Keys() {
    size_t count = 0;
    EXPECT_TRUE(database_->Read([&](sql::Session& session) -> Result<> {
      sql::Values v;
      auto read = [](const soci::row& row) { return *sql::Text(row, 0); };
      ASSIGN(auto found, v.Select<std::string>(session, "SELECT id FROM signing_keys", read));
      count = found.size();
      return {};
    }));
    return count;
  }

  fs::path path_ = fs::temp_directory_path() / ("slipway-run-tokens-" + NewUuid());
  std::unique_ptr<Database> database_ = Database::Open(path_.string(), AllOf(Migrations())).value();
  ManualClock clock_{ParseTimestamp("2026-01-31T06:00:00Z").value()};
  RunTokens tokens_{*database_, clock_, 3600};
  RunGrant grant_{NewUuid(), NewUuid()};
};

TEST_F(Tokens, ATokenNamesItsDeploymentAndRunUntilItExpires) {
  auto token = tokens_.Issue(grant_).value();
  EXPECT_TRUE(RunTokens::LooksLikeOne(token));
  auto read = tokens_.Verify(token).value();
  EXPECT_EQ(read.deployment_id, grant_.deployment_id);
  EXPECT_EQ(read.run_id, grant_.run_id);
  clock_.Set(clock_.Now() + 3599s);
  EXPECT_EQ(Told(tokens_, token), "valid");
  clock_.Set(clock_.Now() + 1s);
  EXPECT_EQ(Told(tokens_, token), "the run token has expired");
}

TEST_F(Tokens, AnyChangeIsSeen) {
  auto token = tokens_.Issue(grant_).value();
  auto other = tokens_.Issue({NewUuid(), grant_.run_id}).value();
  for (size_t i = 0; i < token.size(); ++i) {
    auto changed = token;
    changed[i] = changed[i] == '0' ? '1' : '0';
    EXPECT_NE(Told(tokens_, changed), "valid") << changed;
    EXPECT_NE(Told(tokens_, token.substr(0, i)), "valid") << i;
  }
  auto signature = [](const std::string& text) { return text.substr(text.rfind('.')); };
  EXPECT_NE(Told(tokens_, token.substr(0, token.rfind('.')) + signature(other)), "valid");
  for (const auto& wrong : {token + ".", token + "=", token + ".x", "x" + token, std::string("slipway_run."),
                            std::string("slipway_run....."), "slipway_run." + std::string(10'000, '.')})
    EXPECT_NE(Told(tokens_, wrong), "valid") << wrong;
}

TEST_F(Tokens, NobodyWithoutTheKeySigns) {
  auto token = tokens_.Issue(grant_).value();
  auto text = token.substr(0, token.rfind('.'));
  auto key_id = text.substr(12, text.find('.', 12) - 12);
  for (const auto& guess : {std::string(), key_id, grant_.deployment_id, text})
    EXPECT_EQ(Told(tokens_, text + "." + Base64(HmacSha256(guess, text))),
              "the run token was changed: its signature is wrong");
  auto unknown = "slipway_run." + std::string(16, '0') + text.substr(text.find('.', 12));
  EXPECT_EQ(Told(tokens_, unknown + "." + Base64(HmacSha256("", unknown))),
            "the run token was not made here, or its key is gone");
}

TEST_F(Tokens, ServersOfOneDatabaseTakeEachOthers) {
  RunTokens other(*database_, clock_, 3600);
  auto token = tokens_.Issue(grant_).value();
  EXPECT_EQ(Told(other, token), "valid");
  EXPECT_EQ(Told(tokens_, other.Issue(grant_).value()), "valid");
  EXPECT_EQ(Keys(), 1);
}

TEST_F(Tokens, KeysAreMadeAnewAndGoWhenNoTokenNeedsThem) {
  auto first = tokens_.Issue(grant_).value();
  clock_.Set(clock_.Now() + std::chrono::days{29});
  auto before = tokens_.Issue(grant_).value();
  EXPECT_EQ(Keys(), 1);
  clock_.Set(clock_.Now() + std::chrono::days{1});
  RunTokens restarted(*database_, clock_, std::chrono::seconds(std::chrono::days{2}).count());
  auto after = restarted.Issue(grant_).value();
  EXPECT_EQ(Keys(), 2);
  EXPECT_NE(before.substr(12, 16), after.substr(12, 16));
  clock_.Set(clock_.Now() - std::chrono::days{1} + 1s);
  EXPECT_EQ(Told(restarted, before), "valid");  // the key before goes on
  clock_.Set(clock_.Now() + std::chrono::days{90});
  EXPECT_TRUE(tokens_.Issue(grant_));
  EXPECT_EQ(Keys(), 1);
}

}  // namespace
}  // namespace slipway::auth
