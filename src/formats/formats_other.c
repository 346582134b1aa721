/* What a file that holds no weights seems to be, so that the message can say what went wrong.
 *
 * This decides nothing but a message: files that this program reads are told apart in formats_read.c.
 */
#include "priv/formats_container.h"

#include <string.h>
#include <strings.h>

typedef struct sign {
    const char *bytes;
    size_t len;
    size_t at;
    const char *what;
} sign;

#define SIGN(bytes, at, what)                                                                                \
    {                                                                                                        \
        bytes, sizeof(bytes) - 1, at, what                                                                   \
    }

static const sign signs[] = {
    SIGN("version https://git-lfs.github.com/spec/", 0,
         "a Git LFS pointer, not the file itself: fetch the file with 'git lfs pull'"),
    SIGN("version https://hawser.github.com/spec/", 0,
         "a Git LFS pointer, not the file itself: fetch the file with 'git lfs pull'"),
    SIGN("\x1f\x8b", 0,
         "compressed with gzip: unpack it first, with gunzip (or, if its name ends in .tar.gz or .tgz, with "
         "tar -x)"),
    SIGN("\xfd"
         "7zXZ",
         0, "compressed with xz: unpack it first, with unxz"),
    SIGN("BZh", 0, "compressed with bzip2: unpack it first, with bunzip2"),
    SIGN("\x28\xb5\x2f\xfd", 0, "compressed with zstd: unpack it first, with unzstd"),
    SIGN("PK\x05\x06", 0, "an empty zip file"),
    SIGN("ustar", 257,
         "a tar archive: unpack it first, with tar -x; but if PyTorch of 2016 wrote it, that tar format is "
         "not "
         "supported: load it with torch.load and save it again with torch.save"),
    SIGN("\x93NUMPY", 0, "a NumPy .npy file, which this version does not read"),
    SIGN("GGUF", 0, "a GGUF file, which this version does not read"),
    SIGN("\x89PNG", 0, "a PNG image, not a weight file"),
    SIGN("\xff\xd8\xff", 0, "a JPEG image, not a weight file"),
    SIGN("%PDF", 0, "a PDF document, not a weight file"),
    SIGN("\x7f"
         "ELF",
         0, "a program, not a weight file"),
};

static const char *by_sign(const formats_file *file)
{
    for (size_t i = 0; i < sizeof signs / sizeof signs[0]; i++) {
        const sign *s = &signs[i];
        if (file->size >= s->at + s->len && memcmp(file->data + s->at, s->bytes, s->len) == 0)
            return s->what;
    }
    return NULL;
}

/* Protocol buffers have no magic: field 1 comes first in all that people have. */
static const char *by_protobuf(const formats_file *file)
{
    const uint8_t *p = file->data;

    if (file->size < 4)
        return NULL;
    if ((p[0] == 0x08 || p[0] == 0x0a) && p[1] >= 1)
        return "a protocol buffers file of a kind that this version does not read (a Caffe model?), or cut "
               "short";
    return NULL;
}

static bool looks_like_text(const uint8_t *p, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        if ((p[i] < 0x20 && p[i] != '\t' && p[i] != '\n' && p[i] != '\r') || p[i] == 0x7f)
            return false;
    }
    return true;
}

static bool begins(const uint8_t *p, size_t n, const char *text)
{
    return n >= strlen(text) && strncasecmp((const char *)p, text, strlen(text)) == 0;
}

static const char *by_text(const formats_file *file)
{
    const uint8_t *p = file->data;
    size_t n = file->size < 512 ? (size_t)file->size : 512;

    if (n >= 3 && memcmp(p, "\xef\xbb\xbf", 3) == 0) { /* a byte-order mark */
        p += 3;
        n -= 3;
    }
    while (n && (*p == ' ' || *p == '\t' || *p == '\n' || *p == '\r')) {
        p++;
        n--;
    }
    if (!looks_like_text(p, n))
        return NULL;
    if (begins(p, n, "<?xml"))
        return "an XML document, not a weight file (an error that a bucket answered?): look into it";
    if (begins(p, n, "<"))
        return "an HTML page, not a weight file (an error or log-in page saved under this name?): look into "
               "it and "
               "fetch the file again";
    if (begins(p, n, "{") || begins(p, n, "["))
        return "a JSON document, not a weight file";
    return "a text, not a weight file";
}

bool formats_other_is_document(const formats_file *file)
{
    const char *what = file->size == 0 || by_sign(file) ? NULL : by_text(file);

    return what && (strstr(what, "JSON") || strncmp(what, "a text", 6) == 0);
}

cistern_status formats_other_refuse(const formats_file *file, cistern_error *err)
{
    const char *what = NULL;

    if (!file->size)
        return base_fail(err, CISTERN_UNREADABLE, "the file is empty");
    if (!(what = by_sign(file)) && !(what = by_text(file)))
        what = by_protobuf(file);
    if (what)
        return base_fail(err, CISTERN_UNREADABLE, "%s", what);
    return base_fail_at(err, CISTERN_UNREADABLE, 0,
                        "not a weight file of a kind that this version reads (PyTorch .pth, safetensors, "
                        "Keras .h5 and .keras)");
}
