#include "rowwise/cpu/rows/thread_memory.h"

#include <algorithm>
#include <new>

#include "rowwise/cpu/tuning.h"

namespace zeta::rowwise::cpu {
namespace {

constexpr std::align_val_t kAlignment{64};  // a cache line

// Memory checkers see where a block ends, and which part of it was never written, only if each
// block is a new one. Under them nothing is kept.
#if defined(ZETA_KEEP_NO_MEMORY) || defined(__SANITIZE_ADDRESS__)
constexpr size_t kMostBytes = 0;
#else
constexpr size_t kMostBytes = tuning::kKeptBytes;
#endif

void release(MemoryBlock block) { ::operator delete(block.data, kAlignment); }

// The blocks that one thread keeps, the longest kept first.
class KeptBlocks {
 public:
  // Takes the smallest kept block of at least `bytes`, or none. The search begins with the block
  // given back last and ends where one fits exactly, so that it is short if a call is repeated.
  MemoryBlock take(size_t bytes) {
    int found = -1;
    for (int i = count_ - 1; i >= 0 && (found < 0 || blocks_[found].bytes > bytes); --i) {
      bool const is_smaller = found < 0 || blocks_[i].bytes < blocks_[found].bytes;
      if (blocks_[i].bytes >= bytes && is_smaller) found = i;
    }
    return found < 0 ? MemoryBlock{} : remove(found);
  }

  void add(MemoryBlock block) {
    if (has_ended_ || block.bytes > kMostBytes) return release(block);
    while (count_ == kMostBlocks || bytes_ + block.bytes > kMostBytes) release(remove(0));
    blocks_[count_++] = block;
    bytes_ += block.bytes;
  }

  void end() {
    has_ended_ = true;
    while (count_ > 0) release(remove(0));
  }

 private:
  static constexpr int kMostBlocks = 32;  // a call takes 20 at most

  MemoryBlock remove(int i) {
    MemoryBlock const block = blocks_[i];
    std::copy(blocks_ + i + 1, blocks_ + count_--, blocks_ + i);
    bytes_ -= block.bytes;
    return block;
  }

  MemoryBlock blocks_[kMostBlocks];
  int count_ = 0;
  size_t bytes_ = 0;
  bool has_ended_ = false;
};

// This has no destructor, since those of the thread's other objects may call the engine later.
constinit thread_local KeptBlocks kept;

struct EndOfThread {
  ~EndOfThread() { kept.end(); }
};

}  // namespace

MemoryBlock take_block(size_t bytes) {
  MemoryBlock const block = kept.take(bytes);
  return block.data != nullptr ? block : MemoryBlock{::operator new(bytes, kAlignment), bytes};
}

void give_back(MemoryBlock block) noexcept {
  if (block.data == nullptr) return;
  static thread_local EndOfThread const end;
  kept.add(block);
}

}  // namespace zeta::rowwise::cpu
