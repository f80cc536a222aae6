using System.Text.Json.Serialization;

namespace ZfsSnapshotManager.Core.CommandLine;

/// <summary>What <c>doctor</c> looked at: one line for each thing, with what to do where it is wrong.</summary>
public sealed class Diagnosis
{
    private readonly List<DiagnosisLine> _lines = [];
    private ExitCode _exitCode = ExitCode.Success;

    public void Good(string name, string message) =>
        _lines.Add(
            new DiagnosisLine
            {
                Name = name,
                Status = "ok",
                Message = message,
            }
        );

    /// <summary>Works, and yet somebody should look at it.</summary>
    public void Doubtful(string name, string message, string? remedy) =>
        _lines.Add(
            new DiagnosisLine
            {
                Name = name,
                Status = "warning",
                Message = message,
                Remedy = remedy,
            }
        );

    /// <summary>The first failure gives the exit code.</summary>
    public void Bad(string name, string message, string? remedy, ExitCode exitCode)
    {
        _lines.Add(
            new DiagnosisLine
            {
                Name = name,
                Status = "failed",
                Message = message,
                Remedy = remedy,
            }
        );
        if (_exitCode == ExitCode.Success)
            _exitCode = exitCode;
    }

    /// <summary>Looks at one thing; that it fails is a result.</summary>
    /// <returns>Null where it failed.</returns>
    public async Task<T?> LookAsync<T>(string name, Func<Task<T>> look)
        where T : class
    {
        try
        {
            return await look();
        }
        catch (OperationException e)
        {
            Bad(name, e.Message, e.Remedy, e.ExitCode);
            return null;
        }
    }

    /// <returns>The exit code.</returns>
    public int Report(bool json)
    {
        var report = new DiagnosisReport { Success = _exitCode == ExitCode.Success, Checks = _lines };
        new Output(json).Result(report, DiagnosisJson.Default.DiagnosisReport, text =>
        {
            foreach (var line in _lines)
            {
                text.WriteLine($"{line.Status, -8} {line.Name}: {line.Message}");
                if (line.Remedy is not null)
                    text.WriteLine($"         {line.Remedy}");
            }
        });
        return (int)_exitCode;
    }
}

public sealed record DiagnosisLine
{
    public required string Name { get; init; }

    /// <summary><c>ok</c>, <c>warning</c> or <c>failed</c>.</summary>
    public required string Status { get; init; }

    public required string Message { get; init; }

    public string? Remedy { get; init; }
}

public sealed record DiagnosisReport
{
    public required bool Success { get; init; }

    public required IReadOnlyList<DiagnosisLine> Checks { get; init; }
}

[JsonSourceGenerationOptions(
    PropertyNamingPolicy = JsonKnownNamingPolicy.SnakeCaseLower,
    DefaultIgnoreCondition = JsonIgnoreCondition.WhenWritingNull
)]
[JsonSerializable(typeof(DiagnosisReport))]
internal sealed partial class DiagnosisJson : JsonSerializerContext;
