/* See nn_scratch.h. */
#include "nn_scratch.h"
#include "priv/nn_session_priv.h"

typedef struct list {
    nn_scratch_part *parts;
    size_t count, most;
} list;

/* One more, or a longer one at a place that is there already: two activations take turns. */
static void add(list *l, void *data, size_t bytes)
{
    for (size_t i = 0; i < l->count; i++) {
        if (l->parts[i].data == data) {
            l->parts[i].bytes = bytes > l->parts[i].bytes ? bytes : l->parts[i].bytes;
            return;
        }
    }
    if (data && l->count < l->most) {
        l->parts[l->count++] = (nn_scratch_part){data, bytes};
    }
}

size_t nn_scratch_list(nn_session *s, size_t images, nn_scratch_part *parts, size_t most)
{
    list l = {parts, 0, most};
    size_t group = images < s->group ? images : s->group;
    add(&l, s->image, NN_IMAGE_CHANNELS * (s->height + 2) * (s->width + 2) * sizeof(float));
    for (size_t i = 0; i < s->conv_count; i++) {
        const nn_step_conv *c = &s->conv[i];
        size_t together = i + 1 >= s->group_from ? group : 1;
        add(&l, c->raw.data, c->raw.channels * c->raw.height * c->raw.width * sizeof(float));
        add(&l, c->out.data, c->out_image * together * sizeof(float));
        if (i == 0) {
            add(&l, s->own, base_pool_threads(s->pool) * s->own_stride * sizeof(float));
        }
    }
    return l.count;
}
