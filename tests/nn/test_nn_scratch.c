/* What is told of scratch memory is where runs write. */
#include "nn_fixture.h"

#include "base_pages.h"
#include "nn_scratch.h"

static const fixture_form plain_form = {.dtype = MODEL_F32};

static nn_session *session_of(const nn_fixture *f, size_t batch, base_pool *pool)
{
    cistern_error err = CISTERN_ERROR_INIT;
    nn_session_options options = NN_SESSION_OPTIONS_INIT;
    nn_session *session = NULL;
    options.height = options.width = 64;
    options.max_batch = batch;
    options.pool = pool;
    assert_ok(nn_session_new(f->net, &options, NULL, &session, &err), &err);
    return session;
}

static void parts_lie_apart_in_what_the_session_allocated(void **state)
{
    (void)state;
    for (unsigned threads = 1; threads <= 3; threads += 2) {
        nn_recipe recipe = nn_recipe_small("vgg16");
        nn_fixture f = nn_fixture_new(&recipe, plain_form);
        base_pool *pool;
        assert_ok(base_pool_new(threads, &pool, NULL), NULL);
        nn_session *s = session_of(&f, 4, pool);
        nn_scratch_part parts[NN_SCRATCH_PARTS];
        size_t n = nn_scratch_list(s, 1, parts, NN_SCRATCH_PARTS), sum = 0;
        assert_in_range(n, 3, NN_SCRATCH_PARTS);
        for (size_t i = 0; i < n; i++) {
            const uint8_t *from = parts[i].data;
            for (size_t k = 0; k < i; k++) {
                const uint8_t *other = parts[k].data;
                assert_true(from + parts[i].bytes <= other || other + parts[k].bytes <= from);
            }
            sum += parts[i].bytes;
            base_pages_touch((uint8_t *)parts[i].data - (uintptr_t)from % BASE_PAGES_ALIGN, parts[i].bytes);
        }
        assert_in_range(sum, 3 * 64 * 64 * sizeof(float), nn_session_bytes(s));
        nn_session_free(s);
        base_pool_free(pool);
        nn_fixture_free(&f);
    }
}

static void more_images_need_no_less(void **state)
{
    (void)state;
    nn_recipe recipe = nn_recipe_small("vgg11");
    nn_fixture f = nn_fixture_new(&recipe, plain_form);
    nn_session *s = session_of(&f, 8, NULL);
    nn_scratch_part parts[NN_SCRATCH_PARTS];
    size_t last = 0;
    for (size_t images = 1; images <= 8; images++) {
        size_t n = nn_scratch_list(s, images, parts, NN_SCRATCH_PARTS), sum = 0;
        for (size_t i = 0; i < n; i++) {
            sum += parts[i].bytes;
        }
        assert_true(sum >= last);
        last = sum;
    }
    assert_int_equal(nn_scratch_list(s, 1, parts, 0), 0);
    nn_session_free(s);
    nn_fixture_free(&f);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(parts_lie_apart_in_what_the_session_allocated),
        cmocka_unit_test(more_images_need_no_less),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
