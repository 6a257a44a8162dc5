#include "decode.h"
namespace ptx {
void decodeCopyAsync(Decoder& d);
void addCopyAsync(Opcodes& o) { o.add("cp", [](Decoder& d) { d.need(d.has("async")); decodeCopyAsync(d); }); }
void addTensorCopy(Opcodes&) {}
}  // namespace ptx
