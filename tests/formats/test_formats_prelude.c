/* Arithmetic on the picture as mean, deviation, order and range; where the means do not tell the order, turning does. */
#include "priv/formats_prelude.h"
#include "weight_read.h"

typedef struct fixture {
    formats_output out;
    formats_prelude p;
} fixture;

static void begin(fixture *f)
{
    static const uint64_t size = 1;

    *f = (fixture){.p = FORMATS_PRELUDE_INIT};
    assert_ok(model_index_new(&size, 1, &f->out.index, NULL), NULL);
}

static void affine(fixture *f, double factor, double a, double b, double c)
{
    const double factors[] = {factor, factor, factor}, offsets[] = {a, b, c};

    formats_prelude_affine(&f->p, factors, offsets, 3);
}

/* Ends it: refused with this, or (NULL) accepted. */
static void end(fixture *f, const char *refused)
{
    const char *why = formats_prelude_end(&f->p, &f->out);

    assert_int_equal(why != NULL, refused != NULL);
    if (why && refused)
        assert_non_null(strstr(why, refused));
    assert_int_equal(model_index_note_count(f->out.index), f->out.said.normalised);
    model_index_free(f->out.index);
}

static void nothing_says_nothing(void **state)
{
    fixture f;

    (void)state;
    begin(&f);
    affine(&f, 255, 0, 0, 0);
    affine(&f, 1 / 255.0, 0, 0, 0);
    formats_prelude_turn(&f.p);
    formats_prelude_turn(&f.p);
    end(&f, NULL);
    assert_false(f.out.said.normalised);
}

static void what_was_turned_was_red_first_unless_the_means_say_otherwise(void **state)
{
    static const struct {
        double a, b, c; /* added behind the turn */
        bool turn;
        model_colour want;
    } cases[] = {
        {-100, -100, -100, true, MODEL_BGR}, {-100, -100, -100, false, MODEL_RGB},
        {-104, -117, -124, true, MODEL_BGR}, {-104, -117, -124, false, MODEL_BGR},
        {-124, -117, -104, true, MODEL_RGB}, {-124, -117, -104, false, MODEL_RGB},
        {-104, -124, -117, true, MODEL_BGR},
    };

    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        fixture f;
        begin(&f);
        if (cases[i].turn)
            formats_prelude_turn(&f.p);
        affine(&f, 1, cases[i].a, cases[i].b, cases[i].c);
        end(&f, NULL);
        assert_int_equal(f.out.said.how.colour, cases[i].want);
        assert_float_equal(f.out.said.how.mean[0], -cases[i].a, 1e-4);
    }
}

static void what_came_before_a_turn_turns_with_it(void **state)
{
    fixture f;

    (void)state;
    begin(&f);
    affine(&f, 1, -3, -5, -9);
    formats_prelude_turn(&f.p);
    affine(&f, 0.5, 0, 0, 0);
    end(&f, NULL);
    assert_float_equal(f.out.said.how.mean[0], 9, 1e-5);
    assert_float_equal(f.out.said.how.mean[2], 3, 1e-5);
    assert_float_equal(f.out.said.how.std[1], 2, 1e-5);
}

static void what_cannot_be_told_is_refused(void **state)
{
    fixture f;

    (void)state;
    begin(&f);
    formats_prelude_turn(&f.p);
    end(&f, "turns the channels round without saying");
    begin(&f);
    affine(&f, 0, 1, 1, 1);
    end(&f, "not above 0");
    begin(&f);
    affine(&f, -1, 255, 255, 255);
    end(&f, "not above 0");
    begin(&f);
    affine(&f, 1e-300, 0, 0, 0);
    end(&f, "out of range");
    begin(&f);
    assert_true(formats_prelude_channels(&f.p, FORMATS_CHANNELS_LAST));
    assert_false(formats_prelude_channels(&f.p, FORMATS_CHANNELS_FIRST));
    end(&f, NULL);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(nothing_says_nothing),
        cmocka_unit_test(what_was_turned_was_red_first_unless_the_means_say_otherwise),
        cmocka_unit_test(what_came_before_a_turn_turns_with_it),
        cmocka_unit_test(what_cannot_be_told_is_refused),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
