#include "auth/token.h"

namespace {

constexpr auto kKeys =
    R"({"keys":[{"kty":"RSA","kid":"one","use":"sig","alg":"RS256","e":"AQAB","n":"u1SU1LfVLPHCozMxH2Mo4lgOEePzNm0tRgeLezV6ffAt0gunVTLw7onLRnrq0_IzW7yWR7QkrmBL7jTKEn5u-qKhbwKfBstIs-bMY2Zkp18gnTxKLxoS2tFczGkPLPgizskuemMghRniWaoLcyehkd3qqGElvW_VDL5AaWTg0nLVkjRo9z-40RQzuVaE8AkAFmxZzow3x-VJYKdjykkJ0iT9wCS0DRTXu269V264Vf_3jvredZiKRkgwlL9xNAwxXFg0x_XFw005UWVRIkdgcKWTjpBP2dPwVZ4WWC-9aGVd-Gyn1o0CLelf4rEjGoXbAAEgAqeGUxrcIlbjXfbcmw"}]})";

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  using namespace slipway::auth;
  std::string_view text(reinterpret_cast<const char*>(data), size);
  static const auto keys = KeySet::Parse(kKeys);
  if (size > 0 && data[0] == '{') {
    auto parsed = KeySet::Parse(text);
    if (parsed) (void)parsed->Has("one", "RS256");
    return 0;
  }
  (void)ReadTokenHeader(text);
  if (VerifyToken(text, *keys, {"https://issuer.example/realms/x", "slipway", "slipway"}, slipway::Timestamp{}))
    __builtin_trap();
  return 0;
}
