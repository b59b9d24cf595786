using System.Text.Json;
using System.Text.Json.Serialization;

namespace Coherency.Daemon.Instances;

/// <summary>What a daemon that runs tells of itself in its folder.</summary>
/// <param name="Instance">Its name.</param>
/// <param name="AdminSocket">Where it is administrated; null when it is not.</param>
/// <param name="AttachSocket">Where keepers attach guests; null when they may not.</param>
internal sealed record InstanceInfo(
    string Instance, string Version, int Pid, string? AdminSocket, string? AttachSocket, IReadOnlyList<InstanceShare> Shares);

/// <param name="Guests">Their names, and the directories where the share is mounted.</param>
internal sealed record InstanceShare(string Directory, IReadOnlyList<string> Guests);

[JsonSourceGenerationOptions(PropertyNamingPolicy = JsonKnownNamingPolicy.CamelCase, WriteIndented = true)]
[JsonSerializable(typeof(InstanceInfo))]
[JsonSerializable(typeof(IReadOnlyList<InstanceInfo>))]
internal sealed partial class InstanceJson : JsonSerializerContext;
