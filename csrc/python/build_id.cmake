# Writes the digest of the library: two builds have the same id if they are the same code.
file(SHA256 ${library} digest)
string(SUBSTRING ${digest} 0 16 digest)
file(WRITE ${output} "extern char const* const zeta_build_id = \"${digest}\";\n")
