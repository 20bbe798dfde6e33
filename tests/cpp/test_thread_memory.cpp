#include <gtest/gtest.h>

#include <atomic>
#include <cstdint>
#include <cstdlib>
#include <limits>
#include <new>
#include <thread>
#include <vector>

#include "../simt/sanitizer.h"
#include "rowwise/cpu/rows/scratch.h"
#include "rowwise/cpu/rows/thread_memory.h"
#include "rowwise/cpu/tuning.h"

namespace {
std::atomic<int64_t> allocated_blocks = 0;
}  // namespace

void* operator new(size_t bytes, std::align_val_t alignment) {
  auto const line = static_cast<size_t>(alignment);
  if (bytes > std::numeric_limits<size_t>::max() / 2) throw std::bad_alloc();
  void* const data = std::aligned_alloc(line, (bytes + line - 1) / line * line);
  if (data == nullptr) throw std::bad_alloc();
  ++allocated_blocks;
  return data;
}

void operator delete(void* data, std::align_val_t) noexcept {
  if (data != nullptr) --allocated_blocks;
  std::free(data);
}

namespace zeta::rowwise::cpu {
namespace {

constexpr size_t kMostBytes = tuning::kKeptBytes;

// Calls function() on a thread of its own, and expects that it leaves no memory behind.
template <class Function>
void on_new_thread(Function const& function) {
  int64_t const before = allocated_blocks;
  std::thread(function).join();
  EXPECT_EQ(allocated_blocks, before);
}

class ThreadMemory : public testing::Test {
 protected:
  void SetUp() override {
    if (simt::kAddressSanitizer) GTEST_SKIP() << "which is to see each block";
  }
};

TEST_F(ThreadMemory, KeepsBlocksForTheNextCall) {
  on_new_thread([] {
    MemoryBlock const first = take_block(1000);
    MemoryBlock const second = take_block(2000);
    EXPECT_EQ(reinterpret_cast<uintptr_t>(first.data) % 64, 0);
    EXPECT_NE(first.data, second.data);
    give_back(second);
    give_back(first);
    EXPECT_EQ(take_block(1500).data, second.data);
    EXPECT_EQ(take_block(1000).data, first.data);
    give_back(first);
    give_back(second);
  });
}

TEST_F(ThreadMemory, TakesTheSmallestThatIsLargeEnough) {
  on_new_thread([] {
    std::vector<MemoryBlock> blocks;
    for (size_t bytes : {3000, 1000, 4000, 2000, 500}) blocks.push_back(take_block(bytes));
    for (MemoryBlock const& block : blocks) give_back(block);
    MemoryBlock const found = take_block(1001);
    EXPECT_EQ(found.data, blocks[3].data);
    EXPECT_EQ(found.bytes, 2000);
    give_back(found);
  });
}

TEST_F(ThreadMemory, IsBounded) {
  on_new_thread([] {
    int64_t const before = allocated_blocks;
    std::vector<MemoryBlock> blocks;
    for (int i = 0; i < 20; ++i) blocks.push_back(take_block(kMostBytes / 4));
    for (MemoryBlock const& block : blocks) give_back(block);
    EXPECT_EQ(allocated_blocks - before, 4);
    // What was kept longest is freed, so that a call of another shape finds its memory next time.
    MemoryBlock const block = take_block(kMostBytes);
    give_back(block);
    EXPECT_EQ(allocated_blocks - before, 1);
    EXPECT_EQ(take_block(kMostBytes).data, block.data);
    give_back(block);
    give_back(take_block(kMostBytes + 1));
    EXPECT_EQ(allocated_blocks - before, 1);
    blocks.clear();
    for (int i = 0; i < 200; ++i) blocks.push_back(take_block(64));
    for (MemoryBlock const& each : blocks) give_back(each);
    EXPECT_LT(allocated_blocks - before, 50);
  });
}

TEST_F(ThreadMemory, IsGivenBackByAnotherThread) {
  on_new_thread([] {
    MemoryBlock block;
    std::thread([&] { block = take_block(1000); }).join();
    give_back(block);
    EXPECT_EQ(take_block(1000).data, block.data);
    give_back(block);
  });
}

// As a thread_local object of a program may do whose destructor calls an operator.
TEST_F(ThreadMemory, IsThereWhenAThreadEnds) {
  struct Caller {
    bool calls = false;
    ~Caller() {
      if (!calls) return;
      MemoryBlock const block = take_block(1000);
      give_back(block);
    }
  };
  on_new_thread([] {
    static thread_local Caller caller;
    caller.calls = true;
    give_back(take_block(1000));
  });
}

TEST_F(ThreadMemory, LacksMemory) {
  on_new_thread([] {
    baseline::Scratch<char> scratch;
    scratch.reserve(1000);
    EXPECT_THROW(scratch.reserve(std::numeric_limits<int64_t>::max()), std::bad_alloc);
    EXPECT_EQ(scratch.data(), nullptr);
    scratch.reserve(1000);
    EXPECT_NE(scratch.data(), nullptr);
  });
}

}  // namespace
}  // namespace zeta::rowwise::cpu
