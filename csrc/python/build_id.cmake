# Writes a digest of the library, so that two builds have the same id if their code is the same.
file(SHA256 ${library} digest)
string(SUBSTRING ${digest} 0 16 digest)
file(WRITE ${output} "extern char const* const zeta_build_id = \"${digest}\";\n")
