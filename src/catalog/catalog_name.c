/* Names, tags and references; see catalog_name.h.
 *
 * Every check walks its text once, byte by byte, and stops at the first rule that is broken.
 */
#include "catalog_name.h"
#include "catalog_model.h"
#include "priv/catalog_document.h"

/* What begins an address and therefore cannot be a model's name. */
static const char *const RESERVED[] = {"torchvision", "keras", "hf", "http", "https",
                                       "s3",          "gs",    "az", "file", "oci"};

static bool is_digit(char c)
{
    return c >= '0' && c <= '9';
}

static bool is_upper(char c)
{
    return c >= 'A' && c <= 'Z';
}

static bool is_word(char c)
{
    return (c >= 'a' && c <= 'z') || is_digit(c);
}

static bool is_separator(char c)
{
    return c == '.' || c == '_' || c == '-';
}

static bool has_upper(const char *text)
{
    for (; *text; text++)
        if (is_upper(*text))
            return true;
    return false;
}

/* Lower-case ASCII copy, cut to size. */
static void lower(const char *text, char *out, size_t size)
{
    size_t i = 0;
    for (; text[i] && i + 1 < size; i++)
        out[i] = is_upper(text[i]) ? (char)(text[i] - 'A' + 'a') : text[i];
    out[i] = '\0';
}

/* What is wrong with the byte at text[i] of a name, or NULL. */
static const char *name_fault_at(const char *text, size_t i)
{
    char c = text[i];
    char before = i > 0 ? text[i - 1] : '/';
    char after = text[i + 1] ? text[i + 1] : '/';
    if (c == '/')
        return before == '/' || after == '/' ? "a part between slashes is empty" : NULL;
    if (is_word(c))
        return NULL;
    if (!is_separator(c))
        return "only a-z, 0-9, '.', '_', '-' and '/' are allowed";
    return is_word(before) && is_word(after) ? NULL
                                             : "'.', '_' and '-' stand singly, between letters or digits";
}

cistern_status catalog_name_check(const char *name, cistern_error *err)
{
    size_t n = strlen(name);
    if (n == 0)
        return base_fail(err, CISTERN_USAGE, "the name of the model is missing");
    if (n > CATALOG_NAME_MAX)
        return base_fail(err, CISTERN_USAGE, "the name '%.40s…' has %zu bytes, at most %d are allowed", name,
                         n, CATALOG_NAME_MAX);
    if (has_upper(name)) {
        char small[CATALOG_NAME_MAX + 1];
        lower(name, small, sizeof small);
        return base_fail(err, CISTERN_USAGE, "the name '%s' has upper-case letters: write %s", name, small);
    }
    for (size_t i = 0; i < n; i++) {
        const char *fault = name_fault_at(name, i);
        if (fault)
            return base_fail(err, CISTERN_USAGE, "the name '%s' is wrong at byte %zu: %s", name, i, fault);
    }
    for (size_t i = 0; i < sizeof RESERVED / sizeof RESERVED[0]; i++)
        if (strcmp(name, RESERVED[i]) == 0)
            return base_fail(err, CISTERN_USAGE,
                             "'%s' cannot be the name of a model: it begins an address (%s:…)", name, name);
    return CISTERN_OK;
}

static bool all_digits(const char *text)
{
    for (; *text; text++)
        if (!is_digit(*text))
            return false;
    return true;
}

/* A tag of digits only; it is not empty. */
static cistern_status check_number(const char *tag, cistern_error *err)
{
    size_t zeros = strspn(tag, "0");
    if (tag[zeros] == '\0')
        return base_fail(err, CISTERN_USAGE, "there is no version '%s': version numbers begin at 1", tag);
    if (zeros > 0)
        return base_fail(err, CISTERN_USAGE, "the version number '%s' has a leading zero: write %s", tag,
                         tag + zeros);
    if (strlen(tag) > 8)
        return base_fail(err, CISTERN_USAGE, "the version number %s is too high, at most %u is allowed", tag,
                         CATALOG_NUMBER_MAX);
    return CISTERN_OK;
}

cistern_status catalog_tag_check(const char *tag, cistern_error *err)
{
    size_t n = strlen(tag);
    if (n == 0)
        return base_fail(err, CISTERN_USAGE, "the version or alias after ':' is missing");
    if (n > CATALOG_TAG_MAX)
        return base_fail(err, CISTERN_USAGE, "the tag '%.40s…' has %zu bytes, at most %d are allowed", tag, n,
                         CATALOG_TAG_MAX);
    if (has_upper(tag)) {
        char small[CATALOG_TAG_MAX + 1];
        lower(tag, small, sizeof small);
        return base_fail(err, CISTERN_USAGE, "the tag '%s' has upper-case letters: write %s", tag, small);
    }
    if (is_separator(tag[0]) && tag[0] != '_')
        return base_fail(err, CISTERN_USAGE, "the tag '%s' begins with '%c': a letter, a digit or '_' does",
                         tag, tag[0]);
    for (size_t i = 0; i < n; i++)
        if (!is_word(tag[i]) && !is_separator(tag[i]))
            return base_fail(err, CISTERN_USAGE,
                             "the tag '%s' is wrong at byte %zu: only a-z, 0-9, '.', '_' and '-' are allowed",
                             tag, i);
    return all_digits(tag) ? check_number(tag, err) : CISTERN_OK;
}

bool catalog_name_valid(const char *name)
{
    return catalog_name_check(name, NULL) == CISTERN_OK;
}

bool catalog_tag_valid(const char *tag)
{
    return catalog_tag_check(tag, NULL) == CISTERN_OK;
}

bool catalog_tag_number(const char *tag, uint32_t *out)
{
    size_t n = strlen(tag);
    if (n == 0 || n > 8 || tag[0] == '0' || !all_digits(tag))
        return false;
    uint32_t value = 0;
    for (; *tag; tag++)
        value = value * 10 + (uint32_t)(*tag - '0');
    *out = value;
    return true;
}

/* "sha256:HEX", what stands after '@'. */
static cistern_status parse_digest(const char *text, char out[BASE_SHA256_HEX], cistern_error *err)
{
    static const char prefix[] = "sha256:";
    if (strncmp(text, prefix, sizeof prefix - 1) != 0)
        return base_fail(err, CISTERN_USAGE, "after '@' comes sha256: and hexadecimal digits, not '%.80s'",
                         text);
    const char *hex = text + sizeof prefix - 1;
    size_t n = strlen(hex);
    if (n > BASE_SHA256_HEX - 1)
        return base_fail(err, CISTERN_USAGE, "the digest has %zu digits, a SHA-256 has 64", n);
    if (has_upper(hex)) {
        char small[BASE_SHA256_HEX];
        lower(hex, small, sizeof small);
        return base_fail(err, CISTERN_USAGE, "the digest has upper-case letters: write sha256:%s", small);
    }
    if (strspn(hex, "0123456789abcdef") != n)
        return base_fail(err, CISTERN_USAGE, "the digest '%s' has something other than 0-9 and a-f", hex);
    if (n < CATALOG_DIGEST_PREFIX)
        return base_fail(err, CISTERN_USAGE, "the digest '%s' has %zu digits, at least %d are needed", hex, n,
                         CATALOG_DIGEST_PREFIX);
    memcpy(out, hex, n + 1);
    return CISTERN_OK;
}

/* Copy n bytes of text, which may be too long for the field: enough is kept for the check to refuse it. */
static void copy_part(const char *text, size_t n, char *out, size_t size)
{
    size_t keep = n < size - 1 ? n : size - 1;
    memcpy(out, text, keep);
    out[keep] = '\0';
}

cistern_status catalog_reference_parse(const char *text, catalog_reference *out, cistern_error *err)
{
    char name[CATALOG_NAME_MAX + 2]; /* one byte more than allowed, so that "too long" is seen */
    char tag[CATALOG_TAG_MAX + 2] = "";
    catalog_reference ref = {{0}, {0}, {0}};
    size_t left = strcspn(text, "@");
    size_t name_length = strcspn(text, ":@");
    copy_part(text, name_length, name, sizeof name);
    cistern_status st = catalog_name_check(name, err);
    if (st == CISTERN_OK && name_length < left) {
        const char *begin = text + name_length + 1;
        copy_part(begin, left - name_length - 1, tag, sizeof tag);
        st = catalog_tag_check(tag, err);
    }
    if (st == CISTERN_OK && text[left] == '@')
        st = parse_digest(text + left + 1, ref.digest, err);
    if (st != CISTERN_OK)
        return base_frame(err, st, "bad reference '%.100s' (NAME[:TAG][@sha256:HEX])", text);
    memcpy(ref.name, name, sizeof ref.name);
    memcpy(ref.tag, tag, sizeof ref.tag);
    *out = ref;
    return CISTERN_OK;
}

void catalog_reference_text(const catalog_reference *ref, char out[CATALOG_REFERENCE_TEXT_MAX])
{
    snprintf(out, CATALOG_REFERENCE_TEXT_MAX, "%s%s%s%s%s", ref->name, ref->tag[0] ? ":" : "", ref->tag,
             ref->digest[0] ? "@sha256:" : "", ref->digest);
}

void catalog_name_encode(const char *name, char out[CATALOG_STORED_NAME_MAX + 1])
{
    size_t n = 0;
    for (; *name && n + 2 <= CATALOG_STORED_NAME_MAX; name++) {
        if (*name == '/')
            out[n++] = '-';
        out[n++] = *name == '/' ? '-' : *name;
    }
    out[n] = '\0';
}

bool catalog_name_decode(const char *stored, char out[CATALOG_NAME_MAX + 1])
{
    char name[CATALOG_NAME_MAX + 1];
    size_t n = 0;
    for (; *stored && n < CATALOG_NAME_MAX; n++) {
        bool slash = stored[0] == '-' && stored[1] == '-';
        if (!slash && *stored == '/')
            return false;
        name[n] = slash ? '/' : *stored;
        stored += slash ? 2 : 1;
    }
    name[n] = '\0';
    if (*stored || !catalog_name_valid(name))
        return false;
    memcpy(out, name, n + 1);
    return true;
}

cistern_status catalog_note_check(const char *why, cistern_error *err)
{
    if (why && strlen(why) > CATALOG_TEXT_MAX)
        return base_fail(err, CISTERN_USAGE, "the note (why) has %zu bytes, at most %d are allowed",
                         strlen(why), CATALOG_TEXT_MAX);
    if (why && !catalog_text_printable(why))
        return base_fail(err, CISTERN_USAGE,
                         "the note (why) is '%s': UTF-8 without control characters is allowed", why);
    return CISTERN_OK;
}
