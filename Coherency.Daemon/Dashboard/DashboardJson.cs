using System.Text.Json;
using System.Text.Json.Serialization;

namespace Coherency.Daemon.Dashboard;

/// <summary>Why a question has no answer.</summary>
public sealed record DashboardProblem(string Message);

/// <summary>How answers look as JSON: camel case, also of enums.</summary>
[JsonSourceGenerationOptions(
    PropertyNamingPolicy = JsonKnownNamingPolicy.CamelCase,
    Converters = [
        typeof(CamelCaseEnum<DashboardGuestKind>),
        typeof(CamelCaseEnum<DashboardGuestState>),
        typeof(CamelCaseEnum<DashboardEntryKind>),
        typeof(CamelCaseEnum<DashboardActorKind>),
        typeof(CamelCaseEnum<Host.Server.CacheMode>),
        typeof(CamelCaseEnum<Host.Coherence.HostWatching.WatchState>),
    ])]
[JsonSerializable(typeof(DashboardGuests))]
[JsonSerializable(typeof(DashboardRates))]
[JsonSerializable(typeof(DashboardShares))]
[JsonSerializable(typeof(DashboardTable))]
[JsonSerializable(typeof(DashboardStalePage))]
[JsonSerializable(typeof(DashboardProblem))]
internal sealed partial class DashboardJson : JsonSerializerContext;

/// <summary>Writes an enum as its name in camel case.</summary>
internal sealed class CamelCaseEnum<T>() : JsonStringEnumConverter<T>(JsonNamingPolicy.CamelCase)
    where T : struct, Enum;
