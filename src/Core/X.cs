namespace ZfsSnapshotManager.Core; internal static class X;
