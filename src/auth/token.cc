#include "auth/token.h"

#include <cjose/cjose.h>

#include <algorithm>
#include <boost/json/serialize.hpp>
#include <cmath>

#include "base/encoding.h"
#include "base/format.h"
#include "base/json.h"

namespace slipway::auth {
namespace {

constexpr size_t kLongest = 16 << 10, kLongestName = 1000;

/// RFC 7515: base64url without padding. libcjose ends the process on text that no encoder can have made, so none
/// reaches it.
bool IsBase64Url(std::string_view text) {
  auto allowed = [](unsigned char c) {
    return (c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '-' || c == '_';
  };
  return text.size() % 4 != 1 && std::ranges::all_of(text, allowed);
}

/// Three parts in base64url.
bool IsCompact(std::string_view token) {
  auto first = token.find('.'), last = token.rfind('.');
  return first != std::string_view::npos && first != last && IsBase64Url(token.substr(0, first)) &&
         IsBase64Url(token.substr(first + 1, last - first - 1)) && IsBase64Url(token.substr(last + 1));
}

using Jws = std::unique_ptr<cjose_jws_t, decltype(&cjose_jws_release)>;

Jws Import(std::string_view token) {
  cjose_err error{};
  return {cjose_jws_import(token.data(), token.size(), &error), cjose_jws_release};
}

/// Read here and not by libcjose, which tells a member that is no text from one that is not there for some kinds only.
Result<TokenHeader> HeaderOf(std::string_view token) {
  std::string part(token.substr(0, token.find('.')));
  std::ranges::replace(part, '-', '+');
  std::ranges::replace(part, '_', '/');
  auto text = FromBase64(part);
  auto value = text ? ParseJson(*text) : Result<json::value>(Fail(ErrorKind::kDenied, "no base64url"));
  auto header = value ? JsonObject::From(*value, "header") : Result<JsonObject>(Failure(value.error()));
  if (!header) return Fail(ErrorKind::kDenied, "the token is not a signed JWT");
  auto algorithm = header->String("alg", ""), kid = header->String("kid", ""), type = header->String("typ", "");
  for (const auto* read : {&algorithm, &kid, &type})
    if (!*read) return Fail(ErrorKind::kDenied, "the token's header: {}", read->error().message);
  if (header->object().contains("crit"))  // RFC 7515, section 4.1.11: what is critical and not understood is not valid
    return Fail(ErrorKind::kDenied, "the token has critical header parameters, which are not understood");
  if (*algorithm != "RS256" && *algorithm != "ES256")
    return Fail(ErrorKind::kDenied, "the token is signed by '{}'; RS256 and ES256 are accepted", *algorithm);
  bool access_token = *type == "at+jwt" || *type == "application/at+jwt";
  if (!type->empty() && *type != "JWT" && !access_token)
    return Fail(ErrorKind::kDenied, "the token's type (typ) is '{}': an access token is needed", *type);
  return TokenHeader{*algorithm, *kid, access_token};
}

/// Seconds since 1970, as a NumericDate of RFC 7519 says them; nothing when the claim is absent.
Result<std::optional<Timestamp>> Instant(const JsonObject& claims, std::string_view name) {
  const auto* value = claims.Find(name);
  if (value == nullptr) return std::nullopt;
  double seconds = value->is_int64()    ? static_cast<double>(value->get_int64())
                   : value->is_double() ? value->get_double()
                                        : NAN;
  if (!(std::abs(seconds) < 1e11)) return Fail(ErrorKind::kDenied, "the token's claim '{}' is not a time", name);
  return Timestamp{std::chrono::microseconds{static_cast<int64_t>(seconds * 1e6)}};
}

Result<> CheckTimes(const JsonObject& claims, int leeway_seconds, Timestamp now) {
  auto leeway = std::chrono::seconds{leeway_seconds};
  ASSIGN(auto expires, Instant(claims, "exp"));
  ASSIGN(auto from, Instant(claims, "nbf"));
  ASSIGN(auto issued, Instant(claims, "iat"));
  if (!expires) return Fail(ErrorKind::kDenied, "the token never expires");
  if (now >= *expires + leeway) return Fail(ErrorKind::kDenied, "the token has expired");
  if (from && now < *from - leeway) return Fail(ErrorKind::kDenied, "the token is not valid yet");
  if (issued && now < *issued - leeway) return Fail(ErrorKind::kDenied, "the token was issued in the future");
  return {};
}

bool HasAudience(const JsonObject& claims, std::string_view wanted) {
  const auto* audience = claims.Find("aud");
  if (audience == nullptr) return false;
  if (audience->is_string()) return audience->get_string() == wanted;
  if (!audience->is_array()) return false;
  return std::ranges::any_of(audience->get_array(),
                             [&](const json::value& one) { return one.is_string() && one.get_string() == wanted; });
}

}  // namespace

class TokenReader {
 public:
  static Result<std::string> Verified(cjose_jws_t* jws, const KeySet& keys, const TokenHeader& header) {
    bool known = false;
    for (const auto& key : keys.keys_) {
      if (key.algorithm != header.algorithm || (!header.kid.empty() && key.kid != header.kid)) continue;
      known = true;
      cjose_err error{};
      uint8_t* text = nullptr;
      size_t size = 0;
      if (cjose_jws_verify(jws, static_cast<cjose_jwk_t*>(key.jwk.get()), &error) &&
          cjose_jws_get_plaintext(jws, &text, &size, &error))
        return std::string(reinterpret_cast<const char*>(text), size);
    }
    if (known) return Fail(ErrorKind::kDenied, "the token's signature is wrong");
    return Fail(ErrorKind::kNotFound, "the issuer has no key '{}'", header.kid);
  }

  static Result<KeySet> Parse(std::string_view text) {
    ASSIGN(auto value, Wrap(ParseJson(text), "JWKS"));
    ASSIGN(auto object, JsonObject::From(value, "JWKS"));
    ASSIGN(const auto* list, object.Array("keys"));
    KeySet set;
    for (const auto& item : *list) {
      ASSIGN(auto key, JsonObject::From(item, "JWKS key"));
      ASSIGN(auto type, key.String("kty"));
      ASSIGN(auto use, key.String("use", "sig"));
      ASSIGN(auto curve, key.String("crv", ""));
      bool rsa = type == "RSA", p256 = type == "EC" && curve == "P-256";
      if (use != "sig" || (!rsa && !p256)) continue;
      ASSIGN(auto kid, key.String("kid", ""));
      bool sound = true;
      for (const char* part : {"n", "e", "x", "y"}) {
        ASSIGN(auto number, key.String(part, ""));
        sound &= IsBase64Url(number);
      }
      if (!sound) continue;
      json::object bare;  // what a public key consists of, and nothing else
      for (const char* part : {"kty", "kid", "crv", "n", "e", "x", "y"})
        if (const auto* value = key.Find(part)) bare[part] = *value;
      auto one = json::serialize(bare);
      cjose_err error{};
      auto* jwk = cjose_jwk_import(one.data(), one.size(), &error);
      if (jwk == nullptr) continue;
      auto release = [](void* p) { cjose_jwk_release(static_cast<cjose_jwk_t*>(p)); };
      set.keys_.push_back({kid, rsa ? "RS256" : "ES256", std::shared_ptr<void>(jwk, release)});
    }
    return set;
  }
};

Result<KeySet> KeySet::Parse(std::string_view jwks) { return TokenReader::Parse(jwks); }

bool KeySet::Has(std::string_view kid, std::string_view algorithm) const {
  return std::ranges::any_of(
      keys_, [&](const Key& key) { return key.algorithm == algorithm && (kid.empty() || key.kid == kid); });
}

bool LooksLikeToken(std::string_view credential) { return std::ranges::count(credential, '.') == 2; }

Result<TokenHeader> ReadTokenHeader(std::string_view token) {
  if (token.size() > kLongest) return Fail(ErrorKind::kDenied, "the token is longer than {} bytes", kLongest);
  if (!IsCompact(token)) return Fail(ErrorKind::kDenied, "the token is not a signed JWT");
  return HeaderOf(token);
}

Result<TokenClaims> VerifyToken(std::string_view token, const KeySet& keys, const TokenRules& rules, Timestamp now) {
  ASSIGN(auto header, ReadTokenHeader(token));
  auto jws = Import(token);
  if (!jws) return Fail(ErrorKind::kDenied, "the token is not a signed JWT");
  ASSIGN(auto text, TokenReader::Verified(jws.get(), keys, header));
  auto denied = [](const Error& error) { return Fail(ErrorKind::kDenied, "the token's claims: {}", error.message); };
  auto value = ParseJson(text);
  if (!value) return denied(value.error());
  auto claims = JsonObject::From(*value, "claims");
  if (!claims) return denied(claims.error());
  auto issuer = claims->String("iss", ""), subject = claims->String("sub", ""), type = claims->String("typ", ""),
       username = claims->String("preferred_username", "");
  for (const auto* read : {&issuer, &subject, &type, &username})
    if (!*read) return denied(read->error());
  if (*issuer != rules.issuer) return Fail(ErrorKind::kDenied, "the token is from another issuer");
  if (!HasAudience(*claims, rules.audience))
    return Fail(ErrorKind::kDenied, "the token is not for '{}'", rules.audience);
  if (!type->empty() && *type != "Bearer")
    return Fail(ErrorKind::kDenied, "the token's type is '{}': an access token is needed", *type);
  if (type->empty() && !header.access_token && !rules.unmarked)
    return Fail(ErrorKind::kDenied,
                "the token does not say that it is an access token (typ); where the issuer marks none, "
                "auth.unmarked_tokens = accept");
  if (subject->empty()) return Fail(ErrorKind::kDenied, "the token does not name a subject (sub)");
  // Two subjects must not become one where a text ends early: at U+0000, for PostgreSQL.
  auto control = [](char c) { return static_cast<unsigned char>(c) < 0x20 || c == 0x7f; };
  if (std::ranges::any_of(*subject, control) || std::ranges::any_of(*username, control) ||
      subject->size() > kLongestName || username->size() > kLongestName)
    return Fail(ErrorKind::kDenied, "the token's subject or username holds control characters, or is too long");
  TRY(CheckTimes(*claims, rules.leeway_seconds, now));
  ASSIGN(auto issued, Instant(*claims, "iat"));
  return TokenClaims{*subject, username->empty() ? *subject : *username, rules.roles.RolesIn(claims->object()),
                     issued.value_or(now)};
}

}  // namespace slipway::auth
