/* CRC-32C, half a byte at a time: what it guards here is some ten thousand bytes. */
#include "priv/formats_sstable.h"

uint32_t formats_crc32c(const uint8_t *bytes, size_t n)
{
    /* row[i]: i times x^4, divided by the polynomial 0x82f63b78 (reversed; RFC 3720, B.4) */
    static const uint32_t row[16] = {0x00000000, 0x105ec76f, 0x20bd8ede, 0x30e349b1, 0x417b1dbc, 0x5125dad3,
                                     0x61c69362, 0x7198540d, 0x82f63b78, 0x92a8fc17, 0xa24bb5a6, 0xb21572c9,
                                     0xc38d26c4, 0xd3d3e1ab, 0xe330a81a, 0xf36e6f75};
    uint32_t crc = 0xffffffff;

    for (size_t i = 0; i < n; i++) {
        crc ^= bytes[i];
        crc = crc >> 4 ^ row[crc & 15];
        crc = crc >> 4 ^ row[crc & 15];
    }
    return ~crc;
}
