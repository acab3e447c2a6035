import os

# What `import fastreid` sets too; unittest gets here before the tests import MindSpore.
os.environ.setdefault("GLOG_v", "3")
