# Writes to `output` the version and digest of `library`, and for which torch and CUDA it was built.
file(SHA256 ${library} digest)
string(SUBSTRING ${digest} 0 16 digest)
file(WRITE ${output} "{\"version\": \"${version}\", \"build_id\": \"${digest}\", \"torch\": \"${torch}\", \"cuda\": \"${cuda}\"}\n")
