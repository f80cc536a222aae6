using System.Text;
using ZfsSnapshotManager.Core.Api;
using ZfsSnapshotManager.Core.Compression;
using ZfsSnapshotManager.Core.Names;
using ZfsSnapshotManager.Core.Zfs;
using ZfsSnapshotManager.Server.Catalogue;
using ZfsSnapshotManager.Server.Clients;
using ZfsSnapshotManager.Server.Http;

namespace ZfsSnapshotManager.Server.Uploads;

/// <summary>Checks the body of POST /upload and makes an upload of it. No I/O.</summary>
internal static class UploadRequestReader
{
    /// <summary>A dataset has a few dozen properties.</summary>
    private const int MaxProperties = 200;

    private const int MaxPropertyBytes = 16 * 1024;

    private const int MaxEffectiveProperties = 64;

    private const int MaxEffectiveBytes = 4 * 1024;

    private static readonly HashSet<string> Sources = new(StringComparer.Ordinal)
    {
        "local",
        "received",
        "inherited",
        "default",
        "none",
    };

    /// <exception cref="RequestException">A field is wrong; the message names it.</exception>
    public static UploadRecord Read(UploadRequest request, ClientEntry client, string uploadId)
    {
        var storage = request.StorageType ?? client.StorageType;
        if (!DatasetName.TryParse(request.DatasetName, out var dataset, out var fault))
            throw RequestException.BadRequest($"dataset_name: {fault}.");
        if (!StorageTypes.IsKnown(storage))
            throw RequestException.BadRequest($"storage_type: '{storage}' is not known; it may be s3 or local.");
        if (request.SendFlags?.Any(flag => !ZfsSend.KnownFlags.Contains(flag)) == true)
            throw RequestException.BadRequest($"send_flags: only {string.Join(' ', ZfsSend.KnownFlags)} are allowed.");
        if (request.EstimatedSize < 0)
            throw RequestException.BadRequest("estimated_size: it is negative.");
        if (request is { Incremental: true, FromGuid: null })
            throw RequestException.BadRequest(
                "incremental is true, but from_guid is missing.",
                "Give the GUID of the base, or omit both: they are read from the stream."
            );
        if (request is { Incremental: false, FromGuid: not null })
            throw RequestException.BadRequest("incremental is false, but from_guid is given.");
        if (
            (request.MachineId is not null || request.MachineName is not null)
            && !Machine.IsValid(request.MachineId ?? "", request.MachineName ?? "")
        )
            throw RequestException.BadRequest(
                "machine_id and machine_name: 16 lower-case hex digits, and a name of up to 64 letters, digits, '-', "
                    + "'_', '.', '@' and ':'."
            );
        return new UploadRecord
        {
            UploadId = uploadId,
            ClientId = client.ClientId,
            SnapshotId = "",
            StorageType = storage,
            DatasetName = dataset,
            SnapshotName = ReadSnapshotName(request.SnapshotName, dataset),
            SnapshotGuid = request.SnapshotGuid,
            KindIsGiven = request.Incremental is not null || request.FromGuid is not null,
            FromGuid = request.FromGuid,
            Compression = ReadCompression(request.Compression),
            Raw = request.Raw,
            SendFlags = [.. request.SendFlags?.Distinct(StringComparer.Ordinal) ?? []],
            SnapshotType = request.SnapshotType ?? SnapshotType.Manual,
            Properties = ReadProperties(request.Properties),
            EffectiveProperties = ReadEffective(request.EffectiveProperties),
            MachineId = request.MachineId,
            MachineName = request.MachineName,
            EstimatedSize = request.EstimatedSize,
            TakesOver = request.TakeOver,
        };
    }

    /// <summary>Accepts <c>monday</c> as well as <c>tank/data@monday</c>.</summary>
    private static string? ReadSnapshotName(string? text, DatasetName dataset)
    {
        if (string.IsNullOrEmpty(text))
            return null;
        var whole = text.Contains('@', StringComparison.Ordinal) ? text : $"{dataset}@{text}";
        if (!SnapshotName.TryParse(whole, out var name, out var fault) || name.IsBookmark)
            throw RequestException.BadRequest($"snapshot_name: {fault ?? "it names a bookmark"}.");
        return name.Dataset == dataset
            ? name.Leaf
            : throw RequestException.BadRequest($"snapshot_name: {text} is not a snapshot of {dataset}.");
    }

    private static IReadOnlyDictionary<string, string>? ReadProperties(IReadOnlyDictionary<string, string>? properties)
    {
        if (properties is null or { Count: 0 })
            return null;
        if (
            properties.Count > MaxProperties
            || properties.Sum(property =>
                Encoding.UTF8.GetByteCount(property.Key) + Encoding.UTF8.GetByteCount(property.Value ?? "")
            ) > MaxPropertyBytes
        )
            throw RequestException.BadRequest(
                $"properties: at most {MaxProperties} properties and {MaxPropertyBytes} bytes are allowed."
            );
        if (
            properties.FirstOrDefault(property => property.Value is null || !IsPropertyName(property.Key)) is
            { Key: { } wrong }
        )
            throw RequestException.BadRequest($"properties: '{wrong}' is not a property with a value.");
        return properties;
    }

    private static IReadOnlyDictionary<string, EffectiveProperty>? ReadEffective(
        IReadOnlyDictionary<string, EffectiveProperty>? properties
    )
    {
        if (properties is null or { Count: 0 })
            return null;
        if (
            properties.Count > MaxEffectiveProperties
            || properties.Sum(property =>
                Encoding.UTF8.GetByteCount(property.Key) + Encoding.UTF8.GetByteCount(property.Value?.Value ?? "")
            ) > MaxEffectiveBytes
        )
            throw RequestException.BadRequest(
                $"effective_properties: at most {MaxEffectiveProperties} properties and {MaxEffectiveBytes} bytes are "
                    + "allowed."
            );
        if (properties.FirstOrDefault(property => !IsEffective(property.Key, property.Value)) is { Key: { } wrong })
            throw RequestException.BadRequest(
                $"effective_properties: '{wrong}' is not a property with a value and a source "
                    + $"({string.Join(", ", Sources)})."
            );
        return properties;
    }

    private static bool IsEffective(string name, EffectiveProperty? property) =>
        IsPropertyName(name) && property is { Value: not null, Source: { } source } && Sources.Contains(source);

    /// <summary>Native properties, and user properties, which contain a colon (zfsprops(7)).</summary>
    private static bool IsPropertyName(string name) =>
        name.Length is > 0 and <= 255
        && name.All(c => char.IsAsciiLetterOrDigit(c) || c is ':' or '-' or '.' or '_' or '@' or '+');

    private static CompressionFormat ReadCompression(string? text)
    {
        if (string.IsNullOrEmpty(text))
            return CompressionFormat.Gzip;
        return CompressionFormats.TryParse(text, out var format)
            ? format
            : throw RequestException.BadRequest($"compression: '{text}' is not known; it may be gzip, zstd or none.");
    }
}
