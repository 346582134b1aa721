/* Genuine files, written by PyTorch 1.13 and 2.15 and by the safetensors library (tools/make_format_goldens.py): every name,
 * dtype, shape and element is what the framework said it is. */
#include <fcntl.h>
#include "base_map.h"
#include "weight_read.h"

#define DATA CISTERN_TEST_DATA "/formats/data/"
#define LINE 65536 /* bytes */

typedef struct golden {
    base_map map;
    forge decoded; /* what does not lie plain in it */
    model_index *index;
    size_t seen; /* tensors compared */
    size_t files, tensors, refusals;
} golden;

static base_map map_data(const char *name)
{
    char path[1024];
    base_map map = {0};
    cistern_error err = CISTERN_ERROR_INIT;

    (void)snprintf(path, sizeof path, "%s%s", DATA, name);
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    if (fd < 0)
        print_error("%s is missing\n", path);
    assert_true(fd >= 0);
    assert_ok(base_map_fd(fd, &map, &err), &err);
    close(fd);
    return map;
}

static void finish_file(golden *g)
{
    if (!g->index)
        return;
    assert_int_equal(g->seen, model_index_count(g->index));
    model_index_free(g->index);
    base_map_clear(&g->map);
    forge_free(&g->decoded);
    g->index = NULL;
    g->seen = 0;
}

static cistern_status keep(void *user, const void *bytes, size_t n, cistern_error *err)
{
    (void)err;
    forge_put(user, bytes, n);
    return CISTERN_OK;
}

static void begin_file(golden *g, const char *name, const char *kind)
{
    cistern_error err = CISTERN_ERROR_INIT;

    g->map = map_data(name);
    formats_file file = {.path = name, .data = g->map.data, .size = g->map.size};
    formats_sink sink = {keep, &g->decoded};
    assert_ok(formats_read(&file, 1, &sink, &g->index, &err), &err);
    assert_int_equal(model_index_file_count(g->index), strcmp(name, "deflated.pth") ? 1 : 2);
    assert_string_equal(model_index_kind(g->index), kind);
    assert_int_equal(model_index_family(g->index), MODEL_FAMILY_TORCH);
    assert_int_equal(model_index_note_count(g->index),
                     strstr(name, "module") ? 1 : 0); /* that it is a whole one is told */
    g->files++;
}

/* Where element number i, in row-major order, lies. */
static uint64_t place_of(const model_tensor *t, uint64_t i)
{
    uint64_t place = 0;

    for (uint32_t d = t->rank; d-- > 0;) {
        place += i % t->shape[d] * t->stride[d];
        i /= t->shape[d];
    }
    return t->offset + place * model_dtype_bytes(t->dtype);
}

static bool same(double a, double b)
{
    return memcmp(&a, &b, sizeof a) == 0;
}

static void compare_values(const golden *g, const model_tensor *t, char *text)
{
    uint64_t count;
    char *next = text;

    assert_true(model_tensor_count(t, &count));
    for (uint64_t i = 0; i < count; i++) {
        double want = strtod(next, &next);
        double got = model_dtype_get(t->dtype, (t->file ? g->decoded.data : g->map.data) + place_of(t, i));
        if (!same(want, got))
            print_error("%s[%d] is %.17g, not %.17g\n", t->name, (int)i, got, want);
        assert_true(same(want, got));
    }
    assert_string_equal(next, "\n");
}

static void compare_shape(const model_tensor *t, const char *text)
{
    char mine[256] = "";
    size_t n = 0;

    for (uint32_t i = 0; i < t->rank; i++)
        n += (size_t)snprintf(mine + n, sizeof mine - n, "%s%llu", i ? "," : "",
                              (unsigned long long)t->shape[i]);
    assert_string_equal(mine, text);
}

/* "NAME DTYPE [SHAPE]: VALUES"; the name may hold spaces. */
static void check_tensor(golden *g, char *line)
{
    char *colon = strstr(line, "]:"), *open = strrchr((*colon = 0, line), '[');
    open[-1] = 0;
    char *dtype = strrchr(line, ' ');
    *dtype++ = 0;

    const model_tensor *t = model_index_find(g->index, line);
    if (!t)
        print_error("no tensor '%s'\n", line);
    assert_non_null(t);
    assert_string_equal(model_dtype_text(t->dtype), dtype);
    compare_shape(t, open + 1);
    compare_values(g, t, colon + 2);
    g->seen++;
    g->tensors++;
}

static void check_refusal(golden *g, const char *name, const char *part)
{
    cistern_error err = CISTERN_ERROR_INIT;
    base_map map = map_data(name);
    formats_file file = {.path = name, .data = map.data, .size = map.size};
    model_index *index = NULL;

    assert_says(formats_read(&file, 1, NULL, &index, &err), CISTERN_UNREADABLE, &err, part);
    base_map_clear(&map);
    g->refusals++;
}

static void check_line(golden *g, char *line)
{
    char *bar = strstr(line, " | ");

    if (strncmp(line, "tensor ", 7) == 0) {
        check_tensor(g, line + 7);
        return;
    }
    finish_file(g);
    if (!bar)
        return;
    *bar = 0;
    bar[strcspn(bar + 3, "\n") + 3] = 0;
    if (strncmp(line, "file ", 5) == 0)
        begin_file(g, line + 5, bar + 3);
    else if (strncmp(line, "refuse ", 7) == 0)
        check_refusal(g, line + 7, bar + 3);
}

static golden check_list(const char *name)
{
    golden g = {0};
    char path[1024], *line = malloc(LINE);

    (void)snprintf(path, sizeof path, "%s%s", DATA, name);
    FILE *list = fopen(path, "r");
    assert_non_null(list);
    assert_non_null(line);
    while (fgets(line, LINE, list))
        check_line(&g, line);
    finish_file(&g);
    free(line);
    assert_int_equal(fclose(list), 0);
    return g;
}

static void what_pytorch_wrote_is_read(void **state)
{
    (void)state;
    golden g = check_list("torch.txt");
    assert_int_equal(g.files, 30);
    assert_int_equal(g.tensors, 473);
    assert_int_equal(g.refusals, 4);
}

/* torch.save(model): objects of classes that are not allowed, some of them with code that would run. */
static void whole_modules_are_read_as_their_state_dicts(void **state)
{
    (void)state;
    (void)remove("/tmp/cistern-was-run");
    golden g = check_list("modules.txt");
    assert_int_equal(g.files, 10);
    assert_int_equal(g.tensors, 92);
    assert_int_equal(g.refusals, 2);
    g = check_list("modules_now.txt");
    assert_int_equal(g.files, 4);
    assert_int_equal(g.tensors, 40);
    assert_int_equal(g.refusals, 1);
    assert_int_equal(access("/tmp/cistern-was-run", F_OK), -1);
}

static void what_a_current_pytorch_wrote_is_read(void **state)
{
    (void)state;
    golden g = check_list("torch_now.txt");
    assert_int_equal(g.files, 8);
    assert_int_equal(g.tensors, 55);
    assert_int_equal(g.refusals, 2);
}

static void what_the_safetensors_library_wrote_is_read(void **state)
{
    (void)state;
    golden g = check_list("safetensors.txt");
    assert_int_equal(g.files, 4);
    assert_int_equal(g.tensors, 16);
    assert_int_equal(g.refusals, 1);
}

/* Two files of one version: each tensor knows its file. */
static void several_files_share_one_index(void **state)
{
    cistern_error err = CISTERN_ERROR_INIT;
    base_map a = map_data("zip_parallel.pth"), b = map_data("plain.safetensors");
    formats_file files[] = {{"a.pth", a.data, a.size}, {"b.safetensors", b.data, b.size}};
    model_index *index = NULL;

    (void)state;
    assert_ok(formats_read(files, 2, NULL, &index, &err), &err);
    assert_string_equal(model_index_kind(index), "several kinds");
    assert_int_equal(model_index_count(index), 6);
    assert_int_equal(model_index_find(index, "module.weight")->file, 0);
    assert_int_equal(model_index_find(index, "steps")->file, 1);
    model_index_free(index);

    formats_file twice[] = {files[0], files[0]};
    index = NULL;
    assert_says(formats_read(twice, 2, NULL, &index, &err), CISTERN_UNREADABLE, &err,
                "'module.weight' is there twice");
    assert_fails(formats_read(files, 0, NULL, &index, NULL), CISTERN_USAGE, NULL);
    base_map_clear(&a);
    base_map_clear(&b);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_pytorch_wrote_is_read),
        cmocka_unit_test(whole_modules_are_read_as_their_state_dicts),
        cmocka_unit_test(what_a_current_pytorch_wrote_is_read),
        cmocka_unit_test(what_the_safetensors_library_wrote_is_read),
        cmocka_unit_test(several_files_share_one_index),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
