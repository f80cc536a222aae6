using System.Globalization;
using System.Net;

namespace ZfsSnapshotManager.Core.Configuration;

/// <summary>Converts settings to values and collects every fault, so that all are reported at once.</summary>
/// <param name="settings">What the sources have.</param>
/// <param name="faults">Faults of the sources themselves.</param>
public sealed class SettingsReader(IReadOnlyDictionary<string, Setting> settings, IEnumerable<string>? faults = null)
{
    private readonly List<string> _faults = [.. faults ?? []];

    /// <summary>Null if the setting is missing or empty.</summary>
    public string? Text(string key) => Find(key)?.Value;

    public string Text(string key, string fallback) => Text(key) ?? fallback;

    /// <summary>
    /// Whether one of two settings that exclude each other applies: it is set, and not in an earlier source than the
    /// other. So a file in the working directory cannot override what /etc says under the other name.
    /// </summary>
    public bool Prevails(string key, string other) =>
        Find(key) is { } setting && (Find(other) is not { } rival || setting.Source >= rival.Source);

    public string Required(string key)
    {
        var value = Text(key);
        if (value is null)
            _faults.Add($"{key} is missing");
        return value ?? "";
    }

    /// <summary>A required setting that appears in no message.</summary>
    public Secret RequiredSecret(string key) => new(Required(key));

    /// <summary>A required setting with a format of its own.</summary>
    /// <param name="key">The setting's name.</param>
    /// <param name="parse">Throws <see cref="FormatException"/> with the fault.</param>
    public T? Required<T>(string key, Func<string, T> parse)
        where T : class
    {
        var value = Required(key);
        return value.Length == 0 ? null : Parse(key, value, parse);
    }

    public T? Optional<T>(string key, Func<string, T> parse)
        where T : class
    {
        return Text(key) is { } value ? Parse(key, value, parse) : null;
    }

    /// <summary>The same for value types.</summary>
    public T? OptionalValue<T>(string key, Func<string, T> parse)
        where T : struct
    {
        if (Text(key) is not { } value)
            return null;
        try
        {
            return parse(value);
        }
        catch (FormatException e)
        {
            return Fault<T?>(key, $"is wrong: {e.Message}", null);
        }
    }

    public bool Flag(string key, bool fallback)
    {
        switch (Text(key)?.ToLowerInvariant())
        {
            case null:
                return fallback;
            case "true" or "1" or "yes" or "on":
                return true;
            case "false" or "0" or "no" or "off":
                return false;
            default:
                return Fault(key, "must be true or false", fallback);
        }
    }

    public int Number(string key, int fallback, int least, int most)
    {
        if (Text(key) is not { } text)
            return fallback;
        var isInRange =
            int.TryParse(text, NumberStyles.AllowLeadingSign, CultureInfo.InvariantCulture, out var value)
            && value >= least
            && value <= most;
        return isInRange ? value : Fault(key, $"must be a whole number from {least} to {most}", fallback);
    }

    public IPAddress Address(string key, IPAddress fallback)
    {
        if (Text(key) is not { } text)
            return fallback;
        return IPAddress.TryParse(text, out var address)
            ? address
            : Fault(key, "must be an IP address, such as 127.0.0.1 or ::", fallback);
    }

    /// <summary>Records a fault of a setting without its value: for secrets.</summary>
    public void SecretFault(string key, string fault) =>
        _faults.Add($"{key} (from {Find(key)?.Origin ?? "nowhere"}) {fault}");

    /// <exception cref="OperationException">A setting is missing or wrong; the message names every one.</exception>
    public void ThrowIfFaulty()
    {
        if (_faults.Count == 0)
            return;
        var list = string.Join("; ", _faults);
        throw new OperationException(
            ExitCode.Configuration,
            $"The configuration is not usable: {list}.",
            "docs/configuration.md has every setting; give them in .env, in /etc, or in the environment. Each line of "
                + "a file is NAME=value; lines that start with # are comments."
        );
    }

    private T? Parse<T>(string key, string value, Func<string, T> parse)
        where T : class
    {
        try
        {
            return parse(value);
        }
        catch (FormatException e)
        {
            return Fault<T?>(key, $"is wrong: {e.Message}", null);
        }
    }

    private T Fault<T>(string key, string fault, T fallback)
    {
        var setting = Find(key)!;
        _faults.Add($"{key}={setting.Value} (from {setting.Origin}) {fault}");
        return fallback;
    }

    private Setting? Find(string key) =>
        settings.TryGetValue(key, out var setting) && setting.Value.Length > 0 ? setting : null;
}
