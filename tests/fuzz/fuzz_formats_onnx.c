/* Any bytes as an ONNX model, with a file of 256 bytes beside it. */
#include "foreign_fuzz.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static const uint8_t beside[256];
    formats_file files[] = {{.path = "m.onnx", .data = data, .size = size},
                            {.path = "m.data", .data = beside, .size = sizeof beside}};

    foreign_fuzz(files, 1);
    foreign_fuzz(files, 2);
    return 0;
}
