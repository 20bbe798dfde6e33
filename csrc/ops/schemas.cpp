#include <string>
#include <vector>

#include "ops/family.h"
#include "ops/members.h"
#include "ops/registration.h"

namespace zeta::ops {
namespace {

// flexible_layout says that inputs may have any strides, so Inductor need not copy them.
std::vector<at::Tag> const kTags = {at::Tag::pt2_compliant_tag, at::Tag::flexible_layout};
std::vector<at::Tag> const kOutTags = {at::Tag::pt2_compliant_tag};

void define_members(torch::Library& library) {
  for_each_member([&]<class Member>() {
    std::string const name = Member::kName;
    std::string const arguments = std::string("Tensor z, ") + Member::kArguments +
                                  ", *, Tensor? mask=None, ScalarType? dtype=None";
    library.def((name + "(" + arguments + ") -> Tensor").c_str(), kTags);
    library.def((name + ".out(" + arguments + ", Tensor(a!) out) -> Tensor(a!)").c_str(), kOutTags);
    library.def((name + ".compact(" + arguments + ") -> (Tensor values, Tensor indices)").c_str(),
                kTags);
  });
}

// Overloads are tried in the order of their definition, and a tensor without dimensions could be
// read as the number of the next one, which has no gradient. So these are the first.
void define_of_alphas(torch::Library& library) {
  std::string const name = family::kOfAlphasName;
  std::string const out_name = family::kOfAlphasOutName;
  std::string const compact_name = family::kOfAlphasCompactName;
  std::string const arguments =
      "(Tensor z, Tensor alpha, SymInt? k=None, int dim=-1, *, Tensor? mask=None, "
      "ScalarType? dtype=None";
  library.def((name + arguments + ") -> Tensor").c_str(), kTags);
  library.def((out_name + arguments + ", Tensor(a!) out) -> Tensor(a!)").c_str(), kOutTags);
  library.def((compact_name + arguments + ") -> (Tensor values, Tensor indices)").c_str(), kTags);
  library.def(
      "_entmax_of_candidates.tensor_alpha(Tensor candidates, Tensor alpha, SymInt k, int dim, "
      "SymInt length) -> Tensor",
      kTags);
}

void define_internal_operators(torch::Library& library) {
  // With `length`, grad_output and output hold some entries of rows of that length, among them
  // those of the support, and the result has the bits of the full rows'.
  library.def(
      "_entmax_backward(Tensor grad_output, Tensor output, float alpha, int dim, "
      "ScalarType input_dtype, *, SymInt? length=None) -> Tensor",
      kTags);
  library.def(
      "_entmax_with_support(Tensor z, float alpha, SymInt k, int dim, *, Tensor? mask=None, "
      "ScalarType? dtype=None) -> (Tensor output, Tensor support)",
      kTags);
  library.def(
      "_entmax_support_backward(Tensor grad_output, Tensor support, Tensor? output, float alpha, "
      "int dim, ScalarType input_dtype) -> Tensor",
      kTags);
  // Maps rows given only the k largest entries of each of their parts, in order of index, padded
  // with any number of -inf. Gives the same bits as mapping the full row of `length` entries.
  library.def(
      "_entmax_of_candidates(Tensor candidates, float alpha, SymInt k, int dim, SymInt length) -> "
      "Tensor",
      kTags);
  // Returns the indices of the k largest entries of each row in increasing order, as int64. Of
  // equal entries the one with the lower index counts as larger. NaN counts as larger than all
  // numbers, so the k largest of a row with a NaN include one. What a mask leaves out counts as
  // -inf.
  library.def("_largest(Tensor z, SymInt k, int dim, Tensor? mask=None) -> Tensor", kTags);
}

}  // namespace

ZETA_LIBRARY_FRAGMENT(library) {
  define_of_alphas(library);
  define_members(library);
  define_internal_operators(library);
}

}  // namespace zeta::ops
