namespace ZfsSnapshotManager.Server.Catalogue;

/// <summary>
/// Another machine announced or committed a backup of the same dataset between the check and the opening of an upload.
/// </summary>
internal sealed class OtherMachineException(string machine)
    : Exception($"The newest backup or upload of the dataset is from the machine {machine}.");
