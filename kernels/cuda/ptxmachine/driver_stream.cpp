// Streams and events. Everything has happened when a call returns, so waiting never waits.
#include <chrono>

#include "driver.h"

using namespace ptx;

namespace {
double now() { return std::chrono::duration<double>(std::chrono::steady_clock::now().time_since_epoch()).count(); }
}  // namespace

PTX_API int cuStreamCreateWithPriority(Stream** s, unsigned flags, int priority) {
  PTX_ENTER
  if (!s || flags > 1) return InvalidValue;
  *s = new Stream{context, flags, priority};
  driver().streams.insert(*s);
  return Success;
}
PTX_API int cuStreamCreate(Stream** s, unsigned flags) { return cuStreamCreateWithPriority(s, flags, 0); }

PTX_API int cuStreamDestroy_v2(Stream* s) {
  PTX_LOCK;
  if (!driver().streams.erase(s)) return InvalidHandle;
  delete s;
  return Success;
}

PTX_API int cuStreamSynchronize(void* s) {
  PTX_ENTER
  return isStream(s) ? Success : InvalidHandle;
}
PTX_API int cuStreamQuery(void* s) {
  PTX_ENTER
  return isStream(s) ? Success : InvalidHandle;
}
PTX_API int cuStreamWaitEvent(void* s, Event* e, unsigned) {
  PTX_ENTER
  return isStream(s) && driver().events.count(e) ? Success : InvalidHandle;
}
PTX_API int cuStreamGetFlags(Stream* s, unsigned* flags) {
  PTX_ENTER
  if (!flags) return InvalidValue;
  if (!isStream(s)) return InvalidHandle;
  *flags = driver().streams.count(s) ? s->flags : 0;
  return Success;
}
PTX_API int cuStreamGetPriority(Stream* s, int* priority) {
  PTX_ENTER
  if (!priority) return InvalidValue;
  if (!isStream(s)) return InvalidHandle;
  *priority = driver().streams.count(s) ? s->priority : 0;
  return Success;
}
PTX_API int cuStreamGetCtx(Stream* s, Context** c) {
  PTX_ENTER
  if (!c) return InvalidValue;
  if (!isStream(s)) return InvalidHandle;
  *c = driver().streams.count(s) ? s->context : context;
  return Success;
}
PTX_API int cuLaunchHostFunc(void* s, void (*f)(void*), void* data) {
  {
    PTX_ENTER
    if (!f) return InvalidValue;
    if (!isStream(s)) return InvalidHandle;
  }
  f(data);
  return Success;
}
PTX_API int cuStreamIsCapturing(void* s, int* status) {
  PTX_ENTER
  if (!status) return InvalidValue;
  *status = 0;
  return isStream(s) ? Success : InvalidHandle;
}

PTX_API int cuEventCreate(Event** e, unsigned flags) {
  PTX_ENTER
  if (!e || flags > 7) return InvalidValue;
  *e = new Event{flags, false, 0};
  driver().events.insert(*e);
  return Success;
}
PTX_API int cuEventDestroy_v2(Event* e) {
  PTX_LOCK;
  if (!driver().events.erase(e)) return InvalidHandle;
  delete e;
  return Success;
}
PTX_API int cuEventRecord(Event* e, void* s) {
  PTX_ENTER
  if (!driver().events.count(e) || !isStream(s)) return InvalidHandle;
  e->recorded = true;
  e->seconds = now();
  return Success;
}
PTX_API int cuEventRecordWithFlags(Event* e, void* s, unsigned) { return cuEventRecord(e, s); }
PTX_API int cuEventSynchronize(Event* e) {
  PTX_ENTER
  return driver().events.count(e) ? Success : InvalidHandle;
}
PTX_API int cuEventQuery(Event* e) {
  PTX_ENTER
  return driver().events.count(e) ? Success : InvalidHandle;
}
PTX_API int cuEventElapsedTime(float* ms, Event* a, Event* b) {
  PTX_ENTER
  if (!ms) return InvalidValue;
  if (!driver().events.count(a) || !driver().events.count(b) || !a->recorded || !b->recorded || ((a->flags | b->flags) & 2)) return InvalidHandle;
  *ms = float((b->seconds - a->seconds) * 1e3);
  return Success;
}
PTX_API int cuEventElapsedTime_v2(float* ms, Event* a, Event* b) { return cuEventElapsedTime(ms, a, b); }
