/* Any bytes as a Keras model's configuration: in a .keras file around weights of a VGG-11 whose layers have four channels
 * each, by the first byte with batch norms (bit 0) or without. The archive's checksums are right, so that changes of the
 * configuration alone get past them. Read into an index whose tensors lie inside, or UNREADABLE. */
#include "foreign_fuzz.h"
#include "hdf5_forge.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

#define CONVS   8u
#define LINEARS 3u
#define WIDTH   4u

/* A layer with variables of these shapes, at the file's first bytes. */
static uint64_t layer(forge *f, const uint64_t *kernel, unsigned rank, unsigned vectors)
{
    static const uint64_t vector[] = {WIDTH};
    hdf5_object vars = {.count = 0}, own = {.count = 0};
    char name[] = "0";

    if (rank) {
        hdf5_link(&vars, name, hdf5_dataset(f, kernel, rank, 0));
        name[0]++;
    }
    for (unsigned i = 0; i < vectors; i++, name[0]++)
        hdf5_link(&vars, name, hdf5_dataset(f, vector, 1, 0));
    hdf5_link(&own, "vars", hdf5_put(f, &vars));
    return hdf5_put(f, &own);
}

static void link_layer(hdf5_object *layers, const char *class_name, unsigned number, uint64_t address)
{
    char name[64];

    (void)snprintf(name, sizeof name, number ? "%s_%u" : "%s", class_name, number);
    hdf5_link(layers, name, address);
}

static forge weights(bool norms)
{
    static const uint64_t first[] = {3, 3, 3, WIDTH}, other[] = {3, 3, WIDTH, WIDTH},
                          matrix[] = {WIDTH, WIDTH};
    forge f = {0};
    hdf5_object layers = {.count = 0}, root = {.count = 0};

    hdf5_begin(&f);
    for (unsigned i = 0; i < CONVS; i++) {
        link_layer(&layers, "conv2d", i, layer(&f, i ? other : first, 4, 1));
        if (norms)
            link_layer(&layers, "batch_normalization", i, layer(&f, NULL, 0, 4));
    }
    for (unsigned i = 0; i < LINEARS; i++)
        link_layer(&layers, "dense", i, layer(&f, matrix, 2, 1));
    hdf5_link(&root, "layers", hdf5_put(&f, &layers));
    hdf5_finish(&f, hdf5_put(&f, &root));
    return f;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static forge h5[2];
    forge f = {0};

    if (size == 0)
        return 0;
    if (!h5[0].len) {
        h5[0] = weights(false);
        h5[1] = weights(true);
    }
    const forge *own = &h5[data[0] & 1];
    forge_member m[] = {{.name = "metadata.json", .data = "{}", .size = 2, .plain = true},
                        {.name = "config.json", .data = data + 1, .size = size - 1, .plain = true},
                        {.name = "model.weights.h5", .data = own->data, .size = own->len, .plain = true}};
    (void)zip_make(&f, m, 3);
    formats_file file = {.path = "m.keras", .data = f.data, .size = f.len};
    foreign_fuzz(&file, 1);
    forge_free(&f);
    return 0;
}
