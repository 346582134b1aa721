/* Which instruction sets this CPU has, and their names; see nn_isa.h. */
#include "nn_isa.h"

#include <string.h>

#include "base_tiles.h"

#if defined(__x86_64__)
#include <cpuid.h>

/* Bits that Intel's manual gives them: volume 2, CPUID, leaves 1 and 7; volume 1, 13.3, XCR0. */
#define HAS_XGETBV  (1u << 27)
#define HAS_AMX     (1u << 24 | 1u << 25) /* tiles, int8 */
#define SAVES_TILES (3u << 17)            /* configuration, data */

/* Whether the CPU multiplies 8-bit integers in tiles and the operating system saves them; this process must ask for them, too. */
static bool has_tiles(void)
{
    unsigned a, b, c, d;
    if (!__get_cpuid(1, &a, &b, &c, &d) || !(c & HAS_XGETBV) || !__get_cpuid_count(7, 0, &a, &b, &c, &d) ||
        (d & HAS_AMX) != HAS_AMX) {
        return false;
    }
    __asm__("xgetbv" : "=a"(a), "=d"(d) : "c"(0));
    return (a & SAVES_TILES) == SAVES_TILES;
}
#endif

const char *nn_isa_text(nn_isa isa)
{
    switch (isa) {
#define NN_ISA_TEXT(name, value, text)                                                                       \
    case NN_ISA_##name:                                                                                      \
        return text;
        NN_ISA_MAP(NN_ISA_TEXT)
#undef NN_ISA_TEXT
    }
    return "?";
}

/* The names that can be asked for here, joined by ", ". */
static void available_text(char *out, size_t size)
{
    static const nn_isa all[] = {NN_ISA_AUTO, NN_ISA_PORTABLE, NN_ISA_AVX2, NN_ISA_AVX512, NN_ISA_AMX};
    size_t len = 0;
    out[0] = 0;
    for (size_t i = 0; i < sizeof(all) / sizeof(all[0]); i++) {
        if (nn_isa_available(all[i]) && len < size) {
            int n = snprintf(out + len, size - len, "%s%s", len ? ", " : "", nn_isa_text(all[i]));
            len += n > 0 ? (size_t)n : 0;
        }
    }
}

cistern_status nn_isa_parse(const char *text, nn_isa *out, cistern_error *err)
{
#define NN_ISA_PARSE(name, value, its_text)                                                                  \
    if (strcmp(text, its_text) == 0) {                                                                       \
        *out = NN_ISA_##name;                                                                                \
        return CISTERN_OK;                                                                                   \
    }
    NN_ISA_MAP(NN_ISA_PARSE)
#undef NN_ISA_PARSE
    char here[64];
    available_text(here, sizeof(here));
    return base_fail(err, CISTERN_USAGE, "no instruction set is called '%s'; this machine has: %s", text,
                     here);
}

bool nn_isa_available(nn_isa isa)
{
    switch (isa) {
    case NN_ISA_AUTO:
    case NN_ISA_PORTABLE:
        return true;
#if defined(__x86_64__)
    /* The builtin asks CPUID, and XGETBV whether the operating system saves the registers. */
    case NN_ISA_AVX2:
        return __builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma") &&
               __builtin_cpu_supports("f16c");
    case NN_ISA_AVX512:
        return __builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512dq") &&
               __builtin_cpu_supports("avx512bw") && __builtin_cpu_supports("avx512vl");
    case NN_ISA_AMX:
        return nn_isa_available(NN_ISA_AVX512) && has_tiles() && base_tiles_allow();
#else
    case NN_ISA_AVX2:
    case NN_ISA_AVX512:
    case NN_ISA_AMX:
        return false;
#endif
    }
    return false;
}

bool nn_isa_withheld(void)
{
#if defined(__x86_64__)
    return nn_isa_available(NN_ISA_AVX512) && has_tiles() && !base_tiles_allow();
#else
    return false;
#endif
}

cistern_status nn_isa_resolve(nn_isa isa, nn_isa *out, cistern_error *err)
{
    if (!nn_isa_available(isa)) {
        char here[64];
        available_text(here, sizeof(here));
        return base_fail(err, CISTERN_USAGE, "the instruction set '%s' is not available here; these are: %s",
                         nn_isa_text(isa), here);
    }
    if (isa == NN_ISA_AUTO) {
        isa = nn_isa_available(NN_ISA_AMX)      ? NN_ISA_AMX
              : nn_isa_available(NN_ISA_AVX512) ? NN_ISA_AVX512
              : nn_isa_available(NN_ISA_AVX2)   ? NN_ISA_AVX2
                                                : NN_ISA_PORTABLE;
    }
    *out = isa;
    return CISTERN_OK;
}
