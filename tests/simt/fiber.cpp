#include "simt/fiber.h"

#include <pthread.h>
#include <sys/mman.h>
#include <unistd.h>

#include <cerrno>
#include <cstdint>
#include <system_error>

#include "simt/sanitizer.h"

#if ZETA_SIMT_ASSEMBLY
// ucontext asks the kernel for the signal mask at each switch, which is 40 times slower.
extern "C" void zeta_simt_switch(void** old_stack_pointer, void* new_stack_pointer);
asm(R"(
.pushsection .text
.globl zeta_simt_switch
.hidden zeta_simt_switch
.type zeta_simt_switch, @function
zeta_simt_switch:
  pushq %rbp
  pushq %rbx
  pushq %r12
  pushq %r13
  pushq %r14
  pushq %r15
  movq %rsp, (%rdi)
  movq %rsi, %rsp
  popq %r15
  popq %r14
  popq %r13
  popq %r12
  popq %rbx
  popq %rbp
  ret
.size zeta_simt_switch, . - zeta_simt_switch
.popsection
)");
#endif

namespace zeta::simt {
namespace {

size_t page_size() {
  static auto const result = static_cast<size_t>(sysconf(_SC_PAGESIZE));
  return result;
}

}  // namespace

Stack::Stack() {
  mapping_ = mmap(nullptr, page_size() + kSize, PROT_READ | PROT_WRITE,
                  MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
  if (mapping_ == MAP_FAILED || mprotect(mapping_, page_size(), PROT_NONE) != 0) {
    throw std::system_error(errno, std::generic_category(), "a fiber's stack");
  }
}

Stack::~Stack() {
  allow_access(bottom(), kSize);
  munmap(mapping_, page_size() + kSize);
}

unsigned char* Stack::bottom() const { return static_cast<unsigned char*>(mapping_) + page_size(); }

Fiber::Fiber() : stack_bottom_(nullptr), stack_size_(0) {
  if constexpr (kAddressSanitizer) {
    pthread_attr_t attributes;
    void* bottom = nullptr;
    pthread_getattr_np(pthread_self(), &attributes);
    pthread_attr_getstack(&attributes, &bottom, &stack_size_);
    pthread_attr_destroy(&attributes);
    stack_bottom_ = bottom;
  }
}

Fiber::Fiber(Stack const& stack, void (*entry)(), size_t index)
    : stack_bottom_(stack.bottom()), stack_size_(Stack::kSize) {
  constexpr size_t kCacheLine = 64;
  constexpr size_t kOffsets = 61;
  allow_access(stack.bottom(), Stack::kSize);
  size_t const usable = Stack::kSize - index % kOffsets * kCacheLine;
#if ZETA_SIMT_ASSEMBLY
  // zeta_simt_switch pops six registers and the return address. The word above these stands for
  // another return address, which aligns the stack as an entered function expects it.
  constexpr size_t kSavedRegisters = 6;
  auto* const top = reinterpret_cast<void**>(stack.bottom() + usable);
  void** const frame = top - (kSavedRegisters + 2);
  for (void** word = frame; word < top; ++word) *word = nullptr;
  frame[kSavedRegisters] = reinterpret_cast<void*>(entry);
  stack_pointer_ = frame;
#else
  getcontext(&context_);
  context_.uc_stack.ss_sp = stack.bottom();
  context_.uc_stack.ss_size = usable;
  makecontext(&context_, entry, 0);
#endif
}

void Fiber::switch_to(Fiber& next) {
  start_switch(&fake_stack_, next.stack_bottom_, next.stack_size_);
#if ZETA_SIMT_ASSEMBLY
  zeta_simt_switch(&stack_pointer_, next.stack_pointer_);
#else
  swapcontext(&context_, &next.context_);
#endif
  finish_switch(fake_stack_);
}

void Fiber::begin() { finish_switch(nullptr); }

}  // namespace zeta::simt
