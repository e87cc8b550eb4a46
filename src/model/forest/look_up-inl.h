// For the kernels, once for each target (Highway's way of a header): numbers looked up in registers.
#if defined(SLIPWAY_MODEL_FOREST_LOOK_UP) == defined(HWY_TARGET_TOGGLE)
#ifdef SLIPWAY_MODEL_FOREST_LOOK_UP
#undef SLIPWAY_MODEL_FOREST_LOOK_UP
#else
#define SLIPWAY_MODEL_FOREST_LOOK_UP
#endif

#include <hwy/highway.h>

HWY_BEFORE_NAMESPACE();
namespace slipway::model::HWY_NAMESPACE {

/// Whether a lookup in registers beats reading the value: AVX-512; whether bytes can be looked up so: AVX-512 VBMI.
constexpr bool kWide = HWY_ARCH_X86 && HWY_TARGET <= HWY_AVX3,
               kPermutesBytes = HWY_ARCH_X86 && HWY_TARGET <= HWY_AVX3_DL;

#if HWY_ARCH_X86 && HWY_TARGET <= HWY_AVX3
/// tables[number] of 16 doubles or 32 floats in two registers; higher bits of the number are ignored.
HWY_INLINE __m512d LookUp(const double* tables, __m512i number) {
  return _mm512_permutex2var_pd(_mm512_load_pd(tables), number, _mm512_load_pd(tables + 8));
}
HWY_INLINE __m512 LookUp(const float* tables, __m512i number) {
  return _mm512_permutex2var_ps(_mm512_load_ps(tables), number, _mm512_load_ps(tables + 16));
}
#endif

}  // namespace slipway::model::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#endif
