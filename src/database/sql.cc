#include "database/sql.h"

namespace slipway::sql {
namespace {

constexpr size_t kMostPrepared = 128;

}  // namespace

soci::statement& Session::Prepared(const std::string& text) {
  auto found = prepared_.find(text);
  if (found == prepared_.end()) {
    if (prepared_.size() >= kMostPrepared) prepared_.clear();
    auto statement = std::make_unique<soci::statement>(static_cast<soci::session&>(*this));
    statement->alloc();
    statement->prepare(text);
    found = prepared_.emplace(text, std::move(statement)).first;
  }
  return *found->second;
}

void Session::Close() {
  prepared_.clear();
  close();
}

std::string Values::Add(std::string text) {
  values_.push_back(std::make_unique<Value>(true, std::move(text), 0));
  return ":p" + std::to_string(values_.size() - 1);
}

std::string Values::Add(long long number) {
  values_.push_back(std::make_unique<Value>(false, std::string(), number));
  return ":p" + std::to_string(values_.size() - 1);
}

void Values::Bind(soci::statement& statement) {
  for (size_t i = 0; i < values_.size(); ++i) {
    auto name = "p" + std::to_string(i);
    if (values_[i]->is_text)
      statement.exchange(soci::use(values_[i]->text, name));
    else
      statement.exchange(soci::use(values_[i]->number, name));
  }
}

int64_t Values::Execute(sql::Session& session, const std::string& text) {
  auto& statement = session.Prepared(text);
  Bound bound(statement);
  Bind(statement);
  statement.define_and_bind();
  statement.execute(true);
  return statement.get_affected_rows();
}

}  // namespace slipway::sql
