version: str
torch_version: str
cuda_version: str | None
cuda_architectures: list[str]
compiler: str
build_id: str

def cpu_capability() -> str: ...
def uses_huge_pages() -> bool: ...
def cuda_plan() -> str | None: ...
