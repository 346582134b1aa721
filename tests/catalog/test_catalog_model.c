#include "catalog_fixture.h"

static cistern_status collect(void *user, const char *name, cistern_error *err)
{
    (void)err;
    char *text = user;
    snprintf(text + strlen(text), 200 - strlen(text), "%s;", name);
    return strcmp(name, "stop") == 0 ? CISTERN_CANCELLED : CISTERN_OK;
}

static void models_are_listed_and_foreign_directories_are_not(void **state)
{
    fixture *f = *state;
    char text[200] = "";
    assert_ok(catalog_model_each(f->s, collect, text, &f->err), &f->err);
    assert_string_equal(text, "");
    fixture_add(f, "vgg19", NULL, "one", "1");
    fixture_add(f, "timm/vgg16", NULL, "one", "1");
    assert_int_equal(mkdirat(f->dir.fd, "models/half-made", 0700), 0);
    assert_int_equal(mkdirat(f->dir.fd, "models/NoName", 0700), 0);
    fixture_put(f, "models/file", "x", 1);
    assert_ok(catalog_model_each(f->s, collect, text, &f->err), &f->err);
    assert_string_equal(text, "timm/vgg16;vgg19;");
    fixture_add(f, "stop", NULL, "one", "1");
    text[0] = '\0';
    assert_int_equal(catalog_model_each(f->s, collect, text, &f->err), CISTERN_CANCELLED);
    assert_string_equal(text, "stop;");
}

static void a_model_has_one_lineage_for_ever(void **state)
{
    fixture *f = *state;
    catalog_model first, second, other;
    assert_ok(catalog_model_ensure(f->s, "vgg16", &first, &f->err), &f->err);
    assert_ok(catalog_model_ensure(f->s, "vgg16", &second, &f->err), &f->err);
    assert_ok(catalog_model_ensure(f->s, "vgg19", &other, &f->err), &f->err);
    assert_string_equal(first.lineage, second.lineage);
    assert_string_not_equal(first.lineage, other.lineage);
    assert_string_equal(first.home, store_id(f->s));
    assert_int_equal(strlen(first.lineage), 32);
}

static void a_hostile_model_document_is_damage_named_by_path(void **state)
{
    static const char *const bodies[] = {
        "",
        "{\"format\":1,\"name\":\"vgg19\",\"lineage\":\"0123456789abcdef0123456789abcdef\",\"home\":\"x\"}",
        "{\"format\":1,\"name\":\"vgg16\",\"lineage\":\"0123456789abcdef0123456789abcdef\",\"home\":\"x\"}",
        "{\"format\":2,\"name\":\"vgg16\"}"};
    fixture *f = *state;
    catalog_model model;
    fixture_add(f, "vgg16", NULL, "one", "1");
    for (size_t i = 0; i < sizeof bodies / sizeof bodies[0]; i++) {
        fixture_put(f, "models/vgg16/model.json", bodies[i], strlen(bodies[i]));
        assert_says(catalog_model_read(f->s, "vgg16", &model, &f->err), CISTERN_DAMAGED, &f->err,
                    "models/vgg16/model.json");
        assert_fails(catalog_model_ensure(f->s, "vgg16", &model, &f->err), CISTERN_DAMAGED, &f->err);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        FIXTURE_TEST(models_are_listed_and_foreign_directories_are_not),
        FIXTURE_TEST(a_model_has_one_lineage_for_ever),
        FIXTURE_TEST(a_hostile_model_document_is_damage_named_by_path),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
