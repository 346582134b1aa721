/* nn_session_run allocates nothing, on no thread: this program's own malloc counts, and page mappings are counted by
 * their number in /proc/self/maps. */
#include "nn_fixture.h"

#include <stdatomic.h>

#if defined(CISTERN_SANITIZED)
#define COUNTING 0 /* sanitizers bring an allocator of their own */
#else
#define COUNTING 1
void *__libc_malloc(size_t n);
void *__libc_calloc(size_t count, size_t n);
void *__libc_realloc(void *old, size_t n);
void *__libc_memalign(size_t align, size_t n);
void *malloc(size_t n);
void *calloc(size_t count, size_t n);
void *realloc(void *old, size_t n);
void *memalign(size_t align, size_t n);
int posix_memalign(void **out, size_t align, size_t n);
void *aligned_alloc(size_t align, size_t n);

static atomic_size_t allocations;

void *malloc(size_t n)
{
    atomic_fetch_add(&allocations, 1);
    return __libc_malloc(n);
}

void *calloc(size_t count, size_t n)
{
    atomic_fetch_add(&allocations, 1);
    return __libc_calloc(count, n);
}

void *realloc(void *old, size_t n)
{
    atomic_fetch_add(&allocations, 1);
    return __libc_realloc(old, n);
}

void *memalign(size_t align, size_t n)
{
    atomic_fetch_add(&allocations, 1);
    return __libc_memalign(align, n);
}

void *aligned_alloc(size_t align, size_t n)
{
    return memalign(align, n);
}

int posix_memalign(void **out, size_t align, size_t n)
{
    *out = memalign(align, n);
    return *out ? 0 : 12;
}
#endif

#if COUNTING
static size_t mappings(void)
{
    static char text[1 << 16];
    size_t lines = 0, n;
    int fd = open("/proc/self/maps", O_RDONLY);
    assert_true(fd >= 0);
    while ((n = (size_t)read(fd, text, sizeof(text))) > 0 && n <= sizeof(text)) {
        for (size_t i = 0; i < n; i++) {
            lines += text[i] == '\n';
        }
    }
    close(fd);
    return lines;
}

static void run_allocates_nothing(void **state)
{
    (void)state;
    cistern_error err = CISTERN_ERROR_INIT;
    nn_recipe recipe = nn_recipe_small("vgg16_bn");
    nn_fixture f = nn_fixture_new(&recipe, (fixture_form){.dtype = MODEL_F32});
    nn_session_options options = NN_SESSION_OPTIONS_INIT;
    nn_session *session;
    float logits[2 * 10];
    static float x[2 * 3 * 48 * 61];
    options.height = 48;
    options.width = 61;
    options.max_batch = 2;
    assert_ok(base_pool_new(3, &options.pool, &err), &err);
    assert_ok(nn_session_new(f.net, &options, NULL, &session, &err), &err);
    size_t before = atomic_load(&allocations), maps = mappings();
    for (size_t i = 1; i <= 2; i++) {
        assert_ok(nn_session_run(session, x, i, logits, NULL, &err), &err);
    }
    assert_int_equal(atomic_load(&allocations), before);
    assert_int_equal(mappings(), maps);
    nn_session_free(session);
    assert_true(before > 0); /* it does count */
    base_pool_free(options.pool);
    nn_fixture_free(&f);
}
#else
static void run_allocates_nothing(void **state)
{
    (void)state;
    TEST_SKIP("the sanitizer's allocator cannot be counted");
}
#endif

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(run_allocates_nothing)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
