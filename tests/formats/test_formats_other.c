/* Files that are no weights: recognised and explained. And every file cut at two hundred places. */
#include <fcntl.h>
#include "base_map.h"
#include "protobuf_forge.h"
#include "weight_read.h"

#define CUTS 200

/* 10, 31 */
static void what_is_no_weight_file_is_told(void **state)
{
    static const struct {
        const char *bytes;
        size_t n;
        const char *part;
    } cases[] = {
#define CASE(bytes, part) {bytes, sizeof(bytes) - 1, part}
        CASE("", "w: the file is empty"),
        CASE("<!DOCTYPE html>\n<html>", "an HTML page, not a weight file"),
        CASE("\xef\xbb\xbf \n<HTML><head>", "an HTML page, not a weight file"),
        CASE("<?xml version=\"1.0\"?><Error><Code>AccessDenied", "an XML document, not a weight file"),
        CASE("{\"error\": \"not found\"}", "a JSON document, not a weight file"),
        CASE("404: Not Found", "a text, not a weight file"),
        CASE("version https://git-lfs.github.com/spec/v1\noid sha256:00\n",
             "a Git LFS pointer, not the file itself: "
             "fetch the file with 'git lfs pull'"),
        CASE("\x1f\x8b\x08\0\0\0\0\0", "compressed with gzip"),
        CASE("BZh91AY", "compressed with bzip2"),
        CASE("\xfd"
             "7zXZ\0",
             "compressed with xz"),
        CASE("\x28\xb5\x2f\xfd\x24", "compressed with zstd"),
        CASE("PK\x05\x06", "an empty zip file"),
        CASE("\x93NUMPY\x01\0", "a NumPy .npy file, which this version does not read"),
        CASE("\x08\x07\x12\x07pytorch", "a TensorFlow SavedModel's description, without its variables"),
        CASE("\x0a\x14VGG_ILSVRC_16_layers",
             "a protocol buffers file of a kind that this version does not read (a "
             "Caffe model?)"),
        CASE("\x0a\x40\x0a\x05input", "a protocol buffers file"),
        CASE("GGUF\x03\0\0\0", "a GGUF file"),
        CASE("\xff\xd8\xff\xe0", "a JPEG image, not a weight file"),
        CASE("\x89PNG\r\n\x1a\n", "a PNG image, not a weight file"),
        CASE("\x7f"
             "ELF\x02",
             "a program, not a weight file"),
        CASE("\0", "not a weight file of a kind that this version reads"),
        CASE("P", "a text, not a weight file"),
#undef CASE
    };

    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        cistern_error err = CISTERN_ERROR_INIT;
        model_index *index = NULL;
        assert_says(weight_read(cases[i].bytes, cases[i].n, &index, &err), CISTERN_UNREADABLE, &err,
                    cases[i].part);
    }
}

static void the_tar_format_of_2016_is_refused_by_name(void **state)
{
    forge f = {0};

    (void)state;
    FORGE(&f, "storages");
    forge_zeros(&f, 257 - f.len);
    FORGE(&f, "ustar");
    forge_zeros(&f, 512 - f.len);
    assert_refused(&f, NO_OFFSET, "that tar format is not supported");
    forge_free(&f);
}

/* 16: any cut is told, and no byte beyond it is read (the guard page would say so). */
static void cut_everywhere(const char *name)
{
    char path[1024];
    base_map map;
    cistern_error err;
    model_index *index = NULL;

    (void)snprintf(path, sizeof path, "%s/formats/data/%s", CISTERN_TEST_DATA, name);
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    assert_ok(base_map_fd(fd, &map, NULL), NULL);
    close(fd);
    size_t cuts = map.size < CUTS ? map.size : CUTS;
    for (size_t i = 0; i < cuts; i++) {
        err = (cistern_error)CISTERN_ERROR_INIT;
        assert_fails(weight_read(map.data, map.size * i / cuts, &index, &err), CISTERN_UNREADABLE, &err);
        assert_true(err.text[0] != 0);
        assert_null(index);
    }
    assert_ok(weight_read(map.data, map.size, &index, &err), &err);
    model_index_free(index);
    base_map_clear(&map);
}

static void cut_files_are_refused(void **state)
{
    static const char *const names[] = {"zip_checkpoint.pth", "zip_protocol4.pth", "legacy_checkpoint.pth",
                                        "legacy_many.pth",    "py2_views.pth",     "plain.safetensors",
                                        "dtypes.safetensors", "names.safetensors"};

    (void)state;
    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++)
        cut_everywhere(names[i]);
}

/* A version, `fields` fields that say nothing, and a graph, which makes it an ONNX model if it is looked at. */
static void message_says(uint64_t version, unsigned fields, unsigned last, const char *part, int line)
{
    forge f = {0};

    pb_number(&f, 1, version);
    for (unsigned i = 0; i < fields; i++)
        pb_number(&f, 6, 1);
    pb_text(&f, last, "");
    weight_refused(&f, NO_OFFSET, part, __FILE__, line);
    forge_free(&f);
}

static void protocol_buffers_are_told_by_as_many_fields_as_are_looked_at_and_no_more(void **state)
{
    (void)state;
    message_says(8, 62, 7, "ONNX", __LINE__);
    message_says(8, 63, 7, "a protocol buffers file", __LINE__);
    message_says(63, 0, 2, "a TensorFlow SavedModel's description", __LINE__);
    message_says(64, 0, 2, "a protocol buffers file", __LINE__);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_is_no_weight_file_is_told),
        cmocka_unit_test(the_tar_format_of_2016_is_refused_by_name),
        cmocka_unit_test(cut_files_are_refused),
        cmocka_unit_test(protocol_buffers_are_told_by_as_many_fields_as_are_looked_at_and_no_more),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
