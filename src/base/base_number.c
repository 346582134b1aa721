/* Numbers as text and back, whatever the locale of the process says about decimal points; declared in
 * base_json.h.
 *
 * Invariants
 *  1. The text has the fewest significant digits whose correctly rounded form reads back as the same number.
 *  2. Nothing of the process's locale is changed; the thread's is put back before returning.
 */
#include "base_json.h"
#include <float.h>
#include <math.h>
#include <stdbool.h>

/* The C library's own constant object: nothing is allocated, nothing to free. */
static locale_t c_locale(void)
{
    return newlocale(LC_ALL_MASK, "C", (locale_t)0);
}

/* "1e+05" to "1e5", "2.5e-07" to "2.5e-7". */
static void shorten_exponent(char *text)
{
    char *to = strchr(text, 'e');
    if (!to)
        return;
    const char *from = ++to;
    if (*from == '+')
        from++;
    else if (*from == '-')
        *to++ = *from++;
    while (*from == '0' && from[1] != '\0')
        from++;
    memmove(to, from, strlen(from) + 1);
}

static bool special_text(double value, char out[32])
{
    const char *text = isnan(value) ? "nan" : isinf(value) ? (value > 0 ? "inf" : "-inf") : NULL;
    if (text)
        memcpy(out, text, strlen(text) + 1);
    return text != NULL;
}

void base_double_text(double value, char out[32])
{
    if (special_text(value, out))
        return;
    locale_t c = c_locale();
    locale_t before = uselocale(c);
    /* All decimals of DBL_DIG digits survive the way through a normal double, so none shorter can be missed.
     */
    for (int digits = fabs(value) < DBL_MIN ? 1 : DBL_DIG; digits <= DBL_DECIMAL_DIG; digits++) {
        snprintf(out, 32, "%.*g", digits, value);
        double back = strtod_l(out, NULL, c);
        if (memcmp(&back, &value, sizeof back) == 0)
            break;
    }
    uselocale(before);
    shorten_exponent(out);
}

void base_float_text(float value, char out[32])
{
    if (special_text((double)value, out))
        return;
    locale_t c = c_locale();
    locale_t before = uselocale(c);
    for (int digits = fabsf(value) < FLT_MIN ? 1 : FLT_DIG; digits <= FLT_DECIMAL_DIG; digits++) {
        snprintf(out, 32, "%.*g", digits, (double)value);
        float back = strtof_l(out, NULL, c);
        if (memcmp(&back, &value, sizeof back) == 0)
            break;
    }
    uselocale(before);
    shorten_exponent(out);
}

static const char *skip_digits(const char *p)
{
    while (*p >= '0' && *p <= '9')
        p++;
    return p;
}

/* [+-] digits [. digits] [e [+-] digits], with at least one digit before the exponent and nothing after it.
 */
static bool looks_like_number(const char *p)
{
    if (*p == '+' || *p == '-')
        p++;
    const char *whole = p;
    p = skip_digits(p);
    bool any = p > whole;
    if (*p == '.') {
        const char *fraction = ++p;
        p = skip_digits(p);
        any = any || p > fraction;
    }
    if (!any)
        return false;
    if (*p == 'e' || *p == 'E') {
        p++;
        if (*p == '+' || *p == '-')
            p++;
        const char *exponent = p;
        p = skip_digits(p);
        if (p == exponent)
            return false;
    }
    return *p == '\0';
}

bool base_double_parse(const char *text, double *out)
{
    if (!text || !looks_like_number(text))
        return false;
    double value = strtod_l(text, NULL, c_locale());
    if (!isfinite(value))
        return false;
    *out = value;
    return true;
}
