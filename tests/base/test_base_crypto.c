#include "cistern_test.h"
#include "base_crypto.h"
#include "base_thread.h"

static void *load(void *out)
{
    base_crypto *table = out;
    memset(table, 0, sizeof *table);
    assert_true(base_crypto_load(table));
    return NULL;
}

static void every_thread_has_all_of_the_same_library(void **state)
{
    (void)state;
    base_crypto seen[4];
    base_thread threads[4];
    for (size_t i = 0; i < 4; i++)
        assert_ok(base_thread_start(&threads[i], load, &seen[i], NULL), NULL);
    for (size_t i = 0; i < 4; i++)
        base_thread_join(&threads[i]);
    for (size_t i = 0; i < 4; i++) {
#define IS_THERE(name) assert_true(seen[i].name != NULL && seen[i].name == seen[0].name);
        BASE_CRYPTO_FUNCTIONS(IS_THERE)
#undef IS_THERE
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_thread_has_all_of_the_same_library),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
