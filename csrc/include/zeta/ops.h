#pragma once

#include <ATen/core/Tensor.h>
#include <zeta/export.h>

#include <cstdint>
#include <optional>
#include <tuple>

namespace zeta {

/// Projects each row of `z`, a slice along `dim`, on the probability simplex with at most `k`
/// non-zeros:
///
///     argmin_p |p - z|^2   with  p >= 0,  sum(p) = 1,  at most k entries of p non-zero
///
/// The solution is p_i = z_i - tau on the kappa largest entries and 0 elsewhere, where kappa is the
/// largest j <= min(k, n) with z_(j) > (z_(1) + ... + z_(j) - 1) / j, and tau that quotient at
/// j = kappa. Among equal entries the one of lowest index comes first. k > n means k = n.
///
/// `z` is float32, float64, float16 or bfloat16, of any shape and strides. With `dtype` it is
/// converted first, as by torch.softmax. Without `dtype` it is converted to float32 under autocast
/// on CUDA. The result has the shape of `z` and the strides of `empty_like(z)`. A row with a NaN,
/// with +inf, or of -inf alone is NaN throughout. The function is differentiable any number of
/// times.
///
/// `mask` is a bool tensor that is broadcast to `z`, true where an entry takes part. What is left
/// out has weight 0 and gradient 0, whatever it is, NaN included. A row of which nothing takes part
/// is 0 throughout.
///
/// Throws c10::IndexError for a `dim` out of range and c10::Error for k < 1, a dtype not named
/// above, or a mask of another dtype, device or shape.
///
/// Kyrillidis, Becker, Cevher, Koch: Sparse projections onto the simplex, ICML 2013. With k >= n
/// this is sparsemax: Martins, Astudillo, ICML 2016.
ZETA_API at::Tensor sparse_softmax(at::Tensor const& z, int64_t k = 3, int64_t dim = -1,
                                   std::optional<at::ScalarType> dtype = std::nullopt,
                                   std::optional<at::Tensor> const& mask = std::nullopt);

/// Writes sparse_softmax(z, k, dim, dtype, mask) to `out` and returns it. `out` has the dtype of
/// the result and the device of `z`, is resized if its shape differs, and shares no memory with
/// `z`. This form is not differentiable.
ZETA_API at::Tensor& sparse_softmax_out(at::Tensor& out, at::Tensor const& z, int64_t k = 3,
                                        int64_t dim = -1,
                                        std::optional<at::ScalarType> dtype = std::nullopt,
                                        std::optional<at::Tensor> const& mask = std::nullopt);

/// Returns the non-zero weights of sparse_softmax(z, k, dim, dtype, mask) and their indices, each
/// of size min(k, n) along `dim`. The weights are in descending order, equal ones by lowest index;
/// weights of 0 and indices of -1 follow them. The indices are int64. A row that is NaN has the
/// indices of its k largest entries in descending order, NaN first and equal ones by lowest index.
/// The weights are differentiable.
ZETA_API std::tuple<at::Tensor, at::Tensor> sparse_softmax_compact(
    at::Tensor const& z, int64_t k = 3, int64_t dim = -1,
    std::optional<at::ScalarType> dtype = std::nullopt,
    std::optional<at::Tensor> const& mask = std::nullopt);

/// Returns the softmax of the `k` largest entries of each row, and 0 for the others: the softmax of
/// all entries, its k largest weights, renormalised. All else is as for sparse_softmax. With k >= n
/// this is the softmax.
///
/// Shazeer et al.: Outrageously large neural networks, ICLR 2017.
ZETA_API at::Tensor topk_softmax(at::Tensor const& z, int64_t k = 3, int64_t dim = -1,
                                 std::optional<at::ScalarType> dtype = std::nullopt,
                                 std::optional<at::Tensor> const& mask = std::nullopt);
ZETA_API at::Tensor& topk_softmax_out(at::Tensor& out, at::Tensor const& z, int64_t k = 3,
                                      int64_t dim = -1,
                                      std::optional<at::ScalarType> dtype = std::nullopt,
                                      std::optional<at::Tensor> const& mask = std::nullopt);
ZETA_API std::tuple<at::Tensor, at::Tensor> topk_softmax_compact(
    at::Tensor const& z, int64_t k = 3, int64_t dim = -1,
    std::optional<at::ScalarType> dtype = std::nullopt,
    std::optional<at::Tensor> const& mask = std::nullopt);

/// Returns the alpha-entmax of each row with at most `k` non-zeros, of any number without k:
///
///     p_i = [(alpha - 1) z_i - tau]_+^(1 / (alpha - 1))  on the k largest entries, 0 elsewhere,
///
/// where tau makes them sum to 1. `alpha` is between 1 and 2: 1 is topk_softmax, 2 sparse_softmax.
/// Numbers between 1 and 1.01 are refused. All else is as for sparse_softmax.
///
/// Peters, Niculae, Martins: Sparse sequence-to-sequence models, ACL 2019.
ZETA_API at::Tensor entmax(at::Tensor const& z, double alpha = 1.5,
                           std::optional<int64_t> k = std::nullopt, int64_t dim = -1,
                           std::optional<at::ScalarType> dtype = std::nullopt,
                           std::optional<at::Tensor> const& mask = std::nullopt);
ZETA_API at::Tensor& entmax_out(at::Tensor& out, at::Tensor const& z, double alpha = 1.5,
                                std::optional<int64_t> k = std::nullopt, int64_t dim = -1,
                                std::optional<at::ScalarType> dtype = std::nullopt,
                                std::optional<at::Tensor> const& mask = std::nullopt);
ZETA_API std::tuple<at::Tensor, at::Tensor> entmax_compact(
    at::Tensor const& z, double alpha = 1.5, std::optional<int64_t> k = std::nullopt,
    int64_t dim = -1, std::optional<at::ScalarType> dtype = std::nullopt,
    std::optional<at::Tensor> const& mask = std::nullopt);

/// Returns entmax, or its compact form, with an alpha for each row. `alpha` has size 1 along `dim`,
/// is broadcast to `z`, and has a gradient, too. Numbers for which there is no entmax are an error
/// on the CPU. On CUDA their rows are NaN, since the host does not wait for the GPU to see them.
///
/// Correia, Niculae, Martins: Adaptively sparse transformers, EMNLP 2019.
ZETA_API at::Tensor entmax(at::Tensor const& z, at::Tensor const& alpha,
                           std::optional<int64_t> k = std::nullopt, int64_t dim = -1,
                           std::optional<at::ScalarType> dtype = std::nullopt,
                           std::optional<at::Tensor> const& mask = std::nullopt);
ZETA_API at::Tensor& entmax_out(at::Tensor& out, at::Tensor const& z, at::Tensor const& alpha,
                                std::optional<int64_t> k = std::nullopt, int64_t dim = -1,
                                std::optional<at::ScalarType> dtype = std::nullopt,
                                std::optional<at::Tensor> const& mask = std::nullopt);
ZETA_API std::tuple<at::Tensor, at::Tensor> entmax_compact(
    at::Tensor const& z, at::Tensor const& alpha, std::optional<int64_t> k = std::nullopt,
    int64_t dim = -1, std::optional<at::ScalarType> dtype = std::nullopt,
    std::optional<at::Tensor> const& mask = std::nullopt);

/// entmax and entmax_compact with alpha = 1.5.
inline at::Tensor entmax15(at::Tensor const& z, std::optional<int64_t> k = std::nullopt,
                           int64_t dim = -1, std::optional<at::ScalarType> dtype = std::nullopt,
                           std::optional<at::Tensor> const& mask = std::nullopt) {
  return entmax(z, 1.5, k, dim, dtype, mask);
}
inline std::tuple<at::Tensor, at::Tensor> entmax15_compact(
    at::Tensor const& z, std::optional<int64_t> k = std::nullopt, int64_t dim = -1,
    std::optional<at::ScalarType> dtype = std::nullopt,
    std::optional<at::Tensor> const& mask = std::nullopt) {
  return entmax_compact(z, 1.5, k, dim, dtype, mask);
}

}  // namespace zeta
