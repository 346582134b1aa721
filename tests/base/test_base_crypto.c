#include "cistern_test.h"
#include "base_crypto.h"
#include "base_thread.h"

static void *get(void *out)
{
    *(const base_crypto **)out = base_crypto_get();
    return NULL;
}

static void it_is_loaded_once_for_all_threads(void **state)
{
    (void)state;
    const base_crypto *seen[4] = {NULL};
    base_thread threads[4];
    for (size_t i = 0; i < 4; i++)
        assert_ok(base_thread_start(&threads[i], get, &seen[i], NULL), NULL);
    for (size_t i = 0; i < 4; i++)
        base_thread_join(&threads[i]);
    assert_non_null(seen[0]);
    for (size_t i = 1; i < 4; i++)
        assert_ptr_equal(seen[i], seen[0]);
#define IS_THERE(name) assert_true(seen[0]->name != NULL);
    BASE_CRYPTO_FUNCTIONS(IS_THERE)
#undef IS_THERE
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(it_is_loaded_once_for_all_threads),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
