namespace ZfsSnapshotManager.SendStream; internal static class X;
