/* What binding refuses. */
#include "nn_fixture.h"

#include "nn_isa.h"
#include "priv/nn_fold.h"
#include "priv/nn_pack_map.h"
#include "priv/nn_read.h"

typedef struct bound {
    nn_fixture f;
    model_vgg_match match;
    model_tensor copy; /* the tensor that is spoiled */
    base_map map;
} bound;

static bound make(void)
{
    bound b;
    nn_recipe recipe = nn_recipe_small("vgg11_bn");
    b.f = nn_fixture_new(&recipe, (fixture_form){.dtype = MODEL_F32});
    assert_ok(model_vgg_match_index(b.f.index, "vgg11_bn", &b.match, NULL), NULL);
    b.map = (base_map){b.f.file.data, (size_t)model_index_file_size(b.f.index, 0)};
    return b;
}

static void refuse(bound *b, const char *part)
{
    cistern_error err = CISTERN_ERROR_INIT;
    nn_net *net = NULL;
    assert_says(nn_net_new(&b->match, &b->map, 1, &net, &err), CISTERN_UNREADABLE, &err, part);
    assert_null(net);
    nn_fixture_free(&b->f);
}

static void integer_weights_are_refused(void **state)
{
    (void)state;
    bound b = make();
    b.copy = *b.match.bn_var[3];
    b.copy.dtype = MODEL_I32;
    b.match.bn_var[3] = &b.copy;
    refuse(&b, "tensor 'features.12.running_var': dtype I32, allowed are F32, F64, F16, BF16");
}

static void tensor_past_the_end_is_refused(void **state)
{
    (void)state;
    bound b = make();
    b.copy = *b.match.linear_bias[2]; /* the last of the file */
    b.copy.offset += 1;
    b.match.linear_bias[2] = &b.copy;
    refuse(&b, "tensor 'classifier.6.bias': does not lie inside its file");
}

static void huge_stride_is_refused(void **state)
{
    (void)state;
    bound b = make();
    b.copy = *b.match.conv_weight[1];
    b.copy.stride[0] = UINT64_MAX / 2;
    b.match.conv_weight[1] = &b.copy;
    refuse(&b, "does not lie inside its file");
}

static void unknown_file_is_refused(void **state)
{
    (void)state;
    bound b = make();
    b.copy = *b.match.conv_weight[0];
    b.copy.file = 1;
    b.match.conv_weight[0] = &b.copy;
    refuse(&b, "tensor 'features.0.weight': does not lie inside its file (number 1");
}

static void other_shape_is_refused(void **state)
{
    (void)state;
    bound b = make();
    b.match.channels[2]++;
    refuse(&b, "tensor 'features.8.weight': shape [13, 11, 3, 3], its layer needs [14, 11, 3, 3]");
}

static void too_many_outputs_are_refused(void **state)
{
    (void)state;
    bound b = make();
    b.match.hidden[0] = NN_HIDDEN_MAX + 1;
    refuse(&b, "tensor 'classifier.0.weight': 65537 outputs, allowed are 1 to 65536");
}

static void a_net_without_a_head_is_refused(void **state)
{
    (void)state;
    bound b = make();
    b.match.has_head = false;
    refuse(&b, "no classifier is in it, only features (head: none)");
}

static void batch_norm_is_folded_with_the_epsilon_of_its_file(void **state)
{
    (void)state;
    const double epsilons[] = {1e-5, 1e-3};
    bound b = make();
    assert_true(b.match.epsilon == 1e-5);
    for (size_t i = 0; i < 2; i++) {
        nn_net *net;
        double gamma, var;
        b.match.epsilon = epsilons[i];
        assert_ok(nn_net_new(&b.match, &b.map, 1, &net, NULL), NULL);
        nn_read_row(MODEL_F32, net->conv[2].gamma.data + 5 * sizeof(float), 1, 1, &gamma);
        nn_read_row(MODEL_F32, net->conv[2].var.data + 5 * sizeof(float), 1, 1, &var);
        assert_true(fabs(nn_fold_of(&net->conv[2], 5).scale - gamma / sqrt(var + epsilons[i])) < 1e-12);
        nn_net_free(net);
    }
    nn_fixture_free(&b.f);
}

/* A linear layer stored as a convolution: streamed where its elements lie as rows, packed where they do not. */
static void linear_layers_may_be_stored_as_convolutions(void **state)
{
    (void)state;
    for (int keras = 0; keras < 2; keras++) {
        bound b = make();
        nn_net *net;
        b.copy = *b.match.linear_weight[0];
        uint64_t channels = b.copy.shape[1] / 49;
        b.copy.rank = 4;
        memcpy(b.copy.shape + 1, (uint64_t[]){channels, 7, 7}, 3 * sizeof(uint64_t));
        memcpy(b.copy.stride + 1, keras ? (uint64_t[]){1, 7 * channels, channels} : (uint64_t[]){49, 7, 1},
               3 * sizeof(uint64_t));
        b.match.linear_weight[0] = &b.copy;
        assert_ok(nn_net_new(&b.match, &b.map, 1, &net, NULL), NULL);
        assert_int_equal(nn_linear_streams(&net->linear[0]), !keras);
        assert_int_equal(net->linear[0].weight.at.rank, keras ? 4 : 2);
        nn_net_free(net);
        b.copy.shape[1]++;
        refuse(&b, "its layer needs [21, ");
    }
}

/* Any piece of any row of a strided tensor against the definition. */
static void pieces_of_strided_rows(void **state)
{
    (void)state;
    float file[2 * 3 * 4 * 5];
    nn_tensor t = {.at = {.dtype = MODEL_F32, .rank = 4, .shape = {2, 3, 4, 5}, .stride = {1, 2, 30, 6}},
                   .data = (const uint8_t *)file};
    for (size_t i = 0; i < 120; i++) {
        file[i] = (float)i;
    }
    for (size_t from = 0; from < 60; from++) {
        for (size_t n = 1; n <= 60 - from; n++) {
            double got[60];
            nn_read_inner(&t, 1, from, n, got);
            for (size_t i = 0; i < n; i++) {
                size_t k = from + i;
                assert_true(got[i] == (double)(1 + k / 20 * 2 + k / 5 % 4 * 30 + k % 5 * 6));
            }
        }
    }
}

/* Every one of the 65536: against the definition, sign * mantissa * 2^exponent. */
static void every_half_is_read_exactly(void **state)
{
    (void)state;
    for (uint32_t bits = 0; bits < 65536; bits++) {
        int exponent = (int)(bits >> 10 & 31), sign = bits >> 15 ? -1 : 1, mantissa = (int)(bits & 1023);
        float got = nn_f32_from_f16((uint16_t)bits);
        double wanted = exponent ? sign * ldexp(1024 + mantissa, exponent - 25) : sign * ldexp(mantissa, -24);
        if (exponent == 31) {
            assert_true(mantissa ? isnan(got) : isinf(got) && (got > 0) == (sign > 0));
        } else {
            assert_true((double)got == wanted);
        }
    }
}

static void names_of_instruction_sets(void **state)
{
    (void)state;
    cistern_error err = CISTERN_ERROR_INIT;
    nn_isa isa = NN_ISA_AUTO;
    assert_ok(nn_isa_parse("portable", &isa, &err), &err);
    assert_int_equal(isa, NN_ISA_PORTABLE);
    assert_says(nn_isa_parse("sse9", &isa, &err), CISTERN_USAGE, &err, "no instruction set is called 'sse9'");
    assert_int_equal(isa, NN_ISA_PORTABLE);
    assert_ok(nn_isa_resolve(NN_ISA_AUTO, &isa, &err), &err);
    assert_true(isa != NN_ISA_AUTO && nn_isa_available(isa));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(integer_weights_are_refused),
        cmocka_unit_test(tensor_past_the_end_is_refused),
        cmocka_unit_test(huge_stride_is_refused),
        cmocka_unit_test(unknown_file_is_refused),
        cmocka_unit_test(other_shape_is_refused),
        cmocka_unit_test(too_many_outputs_are_refused),
        cmocka_unit_test(a_net_without_a_head_is_refused),
        cmocka_unit_test(batch_norm_is_folded_with_the_epsilon_of_its_file),
        cmocka_unit_test(linear_layers_may_be_stored_as_convolutions),
        cmocka_unit_test(pieces_of_strided_rows),
        cmocka_unit_test(every_half_is_read_exactly),
        cmocka_unit_test(names_of_instruction_sets),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
